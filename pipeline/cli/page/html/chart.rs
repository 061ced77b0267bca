//! Small bar charts, one below the other, over a common axis of time. Every chart says in words what it shows; nothing
//! depends on colour, since each row has its name beside it.

use super::{
    axis::{Band, Tick},
    scale::Top,
    text::short,
};
use maud::{Markup, html};

/// A chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Unique in the page.
    pub(super) id: String,
    /// What it shows.
    pub(super) title: String,
    /// What can be seen in it.
    pub(super) description: String,
    /// How many bars each row has room for.
    pub(super) slots: usize,
    /// What the axis says.
    pub(super) ticks: Vec<Tick>,
    /// Where there is nothing, and why.
    pub(super) bands: Vec<Band>,
    /// One below the other.
    pub(super) rows: Vec<Row>,
}

/// A row of bars.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    /// Below the name.
    pub(super) note: String,
    /// Class of its colour.
    pub(super) tone: &'static str,
    /// One for each slot; none where there is nothing to show.
    pub(super) values: Vec<Option<u64>>,
    pub(super) top: Top,
}

/// Units of the drawing, which are tenths where a bar is placed.
const WIDTH: usize = 780;
const LEFT: usize = 216;
const PLOT: usize = WIDTH - LEFT - 8;
const ABOVE: usize = 10;
const BARS: usize = 36;
const PITCH: usize = 56;
/// Bars at least this wide, in tenths, stand apart.
const APART: usize = 50;
/// Bars at most this wide, in tenths.
const WIDEST: usize = 400;
/// Letters of the usual size, in units: what is longer does not fit.
const LETTER: usize = 6;

impl Chart {
    pub(super) fn draw(&self) -> Markup {
        let bottom = ABOVE + PITCH * self.rows.len().saturating_sub(1) + BARS;
        let height = bottom + 26;
        let (title, description) = (format!("{}-t", self.id), format!("{}-d", self.id));
        html! {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-labelledby=(format!("{title} {description}")) {
                title id=(title) { (self.title) }
                desc id=(description) { (self.description) }
                @for band in &self.bands { (self.band(band, bottom)) }
                @for (index, row) in self.rows.iter().enumerate() { (self.row(row, ABOVE + PITCH * index)) }
                @for tick in &self.ticks { (self.tick(tick, bottom)) }
            }
        }
    }

    /// Where a slot begins, in tenths.
    fn x(&self, slot: usize) -> usize {
        LEFT * 10 + PLOT * 10 * slot / self.slots.max(1)
    }

    fn band(&self, band: &Band, bottom: usize) -> Markup {
        let (from, to) = (self.x(band.first), self.x(band.first + band.slots));
        let (label, class) = (band.what.label(), band.what.class());
        let fits = to - from >= (label.len() + 1) * LETTER * 10;
        html! {
            rect class=(class) x=(tenths(from)) y=(ABOVE - 6) width=(tenths(to - from)) height=(bottom - ABOVE + 6) {}
            @if fits { text class=(class) x=(tenths(from.midpoint(to))) y=(ABOVE + 6) text-anchor="middle" { (label) } }
        }
    }

    fn row(&self, row: &Row, y: usize) -> Markup {
        let (base, right) = (y + BARS, LEFT + PLOT);
        html! {
            text.name x="0" y=(y + 13) { (short(&row.name, 22)) }
            text.note x="0" y=(y + 30) { (row.note) }
            text.axis x=(LEFT - 6) y=(y + 4) text-anchor="end" { (row.top.label) }
            text.axis x=(LEFT - 6) y=(base + 4) text-anchor="end" { "0" }
            path.grid d=(format!("M{LEFT} {y}H{right}")) {}
            path class=(row.tone) d=(self.bars(row, base)) {}
            path.base d=(format!("M{LEFT} {base}H{right}")) {}
        }
    }

    /// One path for all bars. What is there is seen, however small it is beside the largest.
    fn bars(&self, row: &Row, base: usize) -> String {
        let mut path = String::new();
        let apart = self.x(1) - self.x(0) >= APART;
        for (slot, value) in row.values.iter().enumerate() {
            let Some(value) = value.filter(|value| *value > 0) else { continue };
            let height = u128::from(value) * (BARS as u128 * 10) / u128::from(row.top.value.max(1));
            let height = usize::try_from(height).unwrap_or(BARS * 10).clamp(8, BARS * 10);
            let (from, to) = (self.x(slot), self.x(slot + 1));
            let margin = if apart { ((to - from) / 8).max((to - from).saturating_sub(WIDEST) / 2) } else { 0 };
            let (from, to) = (from + margin, to - margin);
            let (left, right, top) = (tenths(from), tenths(to), tenths(base * 10 - height));
            path.push_str(
                &["M", &left, " ", &base.to_string(), "V", &top, "H", &right, "V", &base.to_string(), "z"].concat(),
            );
        }
        path
    }

    fn tick(&self, tick: &Tick, bottom: usize) -> Markup {
        let (from, to) = (self.x(tick.first), self.x(tick.first + tick.slots));
        let fits = to - from >= tick.what.len() * LETTER * 10;
        html! {
            path.tick d=(format!("M{} {bottom}v5", tenths(from))) {}
            @if fits { text.axis x=(tenths(from.midpoint(to))) y=(bottom + 18) text-anchor="middle" { (tick.what) } }
        }
    }
}

/// A number of tenths.
fn tenths(number: usize) -> String {
    if number.is_multiple_of(10) { (number / 10).to_string() } else { format!("{}.{}", number / 10, number % 10) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{axis::Absence, scale},
        *,
    };

    fn chart(values: Vec<Option<u64>>) -> Chart {
        let slots = values.len();
        let top = scale::count(values.iter().flatten().copied().max().unwrap_or_default());
        let row = Row { name: "<all>".to_owned(), note: "1".to_owned(), tone: "v-all", values, top };
        Chart {
            id: "c1".to_owned(),
            title: "Events <a> day".to_owned(),
            description: "…".to_owned(),
            slots,
            ticks: vec![Tick { first: 0, slots, what: "Jan".to_owned() }],
            bands: vec![Band { first: 0, slots, what: Absence::Missing }],
            rows: vec![row],
        }
    }

    #[test]
    fn a_chart_has_a_name_and_a_description_in_words() {
        let svg = chart(vec![Some(1), None]).draw().into_string();
        assert!(svg.contains(r#"role="img" aria-labelledby="c1-t c1-d""#), "{svg}");
        assert!(svg.contains(r#"<title id="c1-t">Events &lt;a&gt; day</title><desc id="c1-d">…</desc>"#), "{svg}");
        assert!(svg.contains("&lt;all&gt;") && svg.contains(">missing<"), "{svg}");
    }

    #[test]
    fn what_is_there_is_seen_and_what_is_not_is_not() {
        let path = |values| chart(values).bars(&chart(vec![Some(1_000), Some(1), Some(0), None]).rows[0], 46);
        assert_eq!(path(vec![None; 4]), "M265.5 46V10H305.5V46zM404.5 46V45.2H444.5V46z");
    }

    #[test]
    fn bars_of_a_year_stand_side_by_side_and_stay_in_the_plot() {
        let mut values = vec![None; 365];
        (values[0], values[364]) = (Some(2), Some(1));
        let chart = chart(values);
        let path = chart.bars(&chart.rows[0], 46);
        assert_eq!(path, "M216 46V10H217.5V46zM770.4 46V28H772V46z");
    }
}
