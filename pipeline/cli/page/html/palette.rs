//! Whether everybody can read the colours of the page: WCAG 2.2, level AA, on both backgrounds.

use super::STYLE;
use std::collections::BTreeMap;

/// A name for each colour.
type Palette = BTreeMap<String, [f64; 3]>;

/// The colours on light paper and on dark screens.
fn palettes() -> [Palette; 2] {
    let blocks = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap());
    let palettes = blocks.map(|block| {
        let colours = block.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
        colours.map(|(name, digits)| (name.to_owned(), linear(digits))).collect::<Palette>()
    });
    palettes.collect::<Vec<_>>().try_into().unwrap()
}

fn linear(digits: &str) -> [f64; 3] {
    [0, 2, 4].map(|at| {
        let channel = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    })
}

fn luminance([red, green, blue]: [f64; 3]) -> f64 {
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(palette: &Palette, one: &str, other: &str) -> f64 {
    let [one, other] = [one, other].map(|name| luminance(palette[name]));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn contrast_is_what_the_guidelines_say_it_is() {
    let palette = BTreeMap::from([("black", "000000"), ("white", "ffffff"), ("grey", "767676")]);
    let palette = palette.into_iter().map(|(name, digits)| (name.to_owned(), linear(digits))).collect();
    assert!((contrast(&palette, "black", "white") - 21.0).abs() < 0.01);
    assert!((contrast(&palette, "grey", "white") - 4.54).abs() < 0.01);
}

#[test]
fn every_text_can_be_read_on_what_it_stands_on() {
    let on_all = ["text", "soft", "link", "good", "warn", "bad"].into_iter();
    let texts = on_all.flat_map(|text| [(text, "page"), (text, "panel")]);
    let pairs = texts.chain([("good", "archived"), ("bad", "missing"), ("link", "empty")]).collect::<Vec<_>>();
    for palette in palettes() {
        for (text, ground) in &pairs {
            let contrast = contrast(&palette, text, ground);
            assert!(contrast >= 4.5, "{text} on {ground} has {contrast:.2}");
        }
    }
}

#[test]
fn every_bar_stands_out() {
    for palette in palettes() {
        let bars = palette.keys().filter(|name| name.starts_with("v-"));
        let contrasts = bars.map(|name| (name, contrast(&palette, name, "page"))).collect::<Vec<_>>();
        assert_eq!(contrasts.len(), 8);
        assert!(contrasts.iter().all(|(_, contrast)| *contrast >= 3.0), "{contrasts:?}");
    }
}

#[test]
fn both_palettes_have_the_same_colours() {
    let [light, dark] = palettes();
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>());
    for name in light.keys() {
        assert!(STYLE.contains(&format!("var(--{name})")), "{name} is not used");
    }
}
