//! Small bar charts, stacked over a common time axis. Every chart has a title and a text description, and no
//! information depends on colour: each row has its name next to it. The bars stretch to any width; texts do not, so that
//! of the labels those are shown that fit.

use super::short;
use archive::{
    human,
    status::{MonthStatus, Presence, calendar::MONTHS},
};
use archive_formats::Month;
use maud::{Markup, html};

/// A chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Unique in the page.
    pub(super) id: String,
    pub(super) title: String,
    /// Text alternative of the chart.
    pub(super) description: String,
    /// Number of bars that fit into a row.
    pub(super) slots: usize,
    /// Labels of the time axis.
    pub(super) ticks: Vec<Tick>,
    /// Slots without values, with the reason.
    pub(super) bands: Vec<Band>,
    /// Rows from top to bottom.
    pub(super) rows: Vec<Row>,
}

/// A row of bars.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    /// Below the name.
    pub(super) note: String,
    /// CSS class of the bars.
    pub(super) tone: &'static str,
    /// One per slot; `None` for a slot without data.
    pub(super) values: Vec<Option<u64>>,
    pub(super) top: Top,
}

/// Units of the height of a row, and of the width of a slot. Plots stretch to the width of the page.
const HEIGHT: usize = 360;
const SLOT: usize = 8;
/// Slots from which bars touch each other.
const DENSE: usize = 120;
/// Classes of labels, and the width in pixels that a plot has at least where the style sheet shows them: on a phone, on a
/// tablet or paper, and on a screen.
const SCREENS: [(&str, usize); 3] = [("s", 260), ("m", 380), ("l", 620)];
/// Width of a letter in pixels, and the distance between labels.
const LETTER: usize = 7;
const APART: usize = 6;

impl Chart {
    pub(super) fn draw(&self) -> Markup {
        let (title, description) = (format!("{}-t", self.id), format!("{}-d", self.id));
        html! {
            div.chart role="img" aria-labelledby=(format!("{title} {description}")) {
                span.aside id=(title) { (self.title) }
                span.aside id=(description) { (self.description) }
                @for (index, row) in self.rows.iter().enumerate() { (self.row(row, index == 0)) }
                div.row.ticks {
                    div.key {}
                    div.axis {}
                    div.plot { (self.marks()) (self.labels(&self.ticks, &self.ticks_shown())) }
                }
            }
        }
    }

    fn row(&self, row: &Row, is_first: bool) -> Markup {
        let width = self.slots.max(1) * SLOT;
        html! {
            div.row {
                div.key { strong { (short(&row.name, 40)) } " " span { (row.note) } }
                div.axis { span { (row.top.label) } span { "0" } }
                div.plot {
                    svg viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" {
                        @for Band { first, slots, what } in &self.bands {
                            rect class=(what.class()) x=(first * SLOT) y="0" width=(slots * SLOT) height=(HEIGHT) {}
                        }
                        path class=(row.tone) d=(self.bars(row)) {}
                    }
                    @if is_first { (self.band_labels()) }
                }
            }
        }
    }

    /// One path for all bars. The smallest value is still visible.
    fn bars(&self, row: &Row) -> String {
        let mut path = String::new();
        let margin = usize::from(self.slots < DENSE);
        for (slot, value) in row.values.iter().enumerate() {
            let Some(value) = value.filter(|value| *value > 0) else { continue };
            let height = u128::from(value) * HEIGHT as u128 / u128::from(row.top.value.max(1));
            // Saturates: a bar is never taller than its row.
            let height = usize::try_from(height).unwrap_or(usize::MAX).clamp(8, HEIGHT);
            let [left, top, right] =
                [slot * SLOT + margin, HEIGHT - height, (slot + 1) * SLOT - margin].map(|it| it.to_string());
            path.push_str(
                &["M", &left, " ", &HEIGHT.to_string(), "V", &top, "H", &right, "V", &HEIGHT.to_string(), "z"].concat(),
            );
        }
        path
    }

    /// A mark where each label of the time axis begins.
    fn marks(&self) -> Markup {
        let parts = self.ticks.iter().map(|tick| ["M", &(tick.first * SLOT).to_string(), " 0V1"].concat());
        let path = parts.collect::<String>();
        html! {
            svg viewBox=(format!("0 0 {} 1", self.slots.max(1) * SLOT)) preserveAspectRatio="none" aria-hidden="true" {
                path.tick d=(path) vector-effect="non-scaling-stroke" {}
            }
        }
    }

    /// The labels of the time axis that fit beside each other, for each of [`SCREENS`].
    fn ticks_shown(&self) -> Vec<[bool; 3]> {
        let mut shown = vec![[false; 3]; self.ticks.len()];
        for (screen, (_, plot)) in SCREENS.iter().enumerate() {
            let mut free = None;
            for (tick, shown) in self.ticks.iter().zip(&mut shown) {
                // Doubled, since labels are centred.
                let (middle, width) =
                    ((tick.first * 2 + tick.slots) * plot / self.slots.max(1), tick.what.len() * LETTER);
                if free.is_none_or(|free| middle >= free + width) {
                    shown[screen] = true;
                    free = Some(middle + width + 2 * APART);
                }
            }
        }
        shown
    }

    /// The reasons of the bands that are wide enough for them.
    fn band_labels(&self) -> Markup {
        let labels = self.bands.iter().map(|Band { first, slots, what }| Tick {
            first: *first,
            slots: *slots,
            what: what.label().to_owned(),
        });
        let labels = labels.collect::<Vec<_>>();
        let fits = |label: &Tick| {
            SCREENS.map(|(_, plot)| label.slots * plot / self.slots.max(1) >= label.what.len() * LETTER + APART)
        };
        self.labels(&labels, &labels.iter().map(fits).collect::<Vec<_>>())
    }

    /// Centred labels, each on the screens on which it is `shown`.
    fn labels(&self, labels: &[Tick], shown: &[[bool; 3]]) -> Markup {
        let classes = |shown: &[bool; 3]| {
            let shown = SCREENS.iter().zip(shown).filter(|(_, shown)| **shown);
            shown.fold("label".to_owned(), |classes, ((class, _), _)| format!("{classes} {class}"))
        };
        let labels = labels.iter().zip(shown).filter(|(_, shown)| shown.contains(&true));
        html! {
            @for (Tick { first, slots, what }, shown) in labels {
                @let middle = (first * 2 + slots) * 5_000 / self.slots.max(1);
                span class=(classes(shown)) style=(format!("left:{}.{:02}%", middle / 100, middle % 100)) { (what) }
            }
        }
    }
}

/// Consecutive slots with the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run<T> {
    pub(super) first: usize,
    pub(super) slots: usize,
    pub(super) what: T,
}

/// A label of consecutive slots.
pub(super) type Tick = Run<String>;

/// Consecutive slots without values.
pub(super) type Band = Run<Absence>;

/// Why slots have no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// The month is over and not archived.
    Missing,
    /// The month is archived, but could not be counted.
    Unread,
    /// The month is not over.
    NotOver,
}

impl Absence {
    /// The reason why `month` has no values; `None` if it is archived.
    pub(super) const fn from_state(month: &MonthStatus) -> Option<Self> {
        match month.state {
            Presence::Missing => Some(Self::Missing),
            Presence::Open => Some(Self::NotOver),
            Presence::Archived => None,
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unread => "unread",
            Self::NotOver => "not over",
        }
    }

    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Missing | Self::Unread => "gap lost",
            Self::NotOver => "gap",
        }
    }
}

/// Merges neighbours with the same value. Each part is a number of slots and their value.
pub(super) fn runs<T: PartialEq>(parts: impl IntoIterator<Item = (usize, T)>) -> Vec<Run<T>> {
    let (mut runs, mut first): (Vec<Run<T>>, usize) = (Vec::new(), 0);
    for (slots, what) in parts {
        match runs.last_mut().filter(|last| last.what == what) {
            Some(last) => last.slots += slots,
            None => runs.push(Run { first, slots, what }),
        }
        first += slots;
    }
    runs
}

/// The runs without values.
pub(super) fn bands(parts: impl IntoIterator<Item = (usize, Option<Absence>)>) -> Vec<Band> {
    let absent = |Run { first, slots, what }| Some(Run { first, slots, what: what? });
    runs(parts).into_iter().filter_map(absent).collect()
}

/// The names of `months`, with years if they span several.
pub(super) fn names(months: impl Iterator<Item = Month> + Clone) -> impl Iterator<Item = String> {
    let is_a_year = months.clone().zip(months.clone().skip(1)).all(|(one, next)| one.year() == next.year());
    let name = |month: Month| MONTHS[usize::from(month.number()) - 1].to_owned();
    months.map(move |month| if is_a_year { name(month) } else { month.to_string() })
}

/// The end of an axis, and its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Top {
    pub(super) value: u64,
    pub(super) label: String,
}

/// The smallest round number that is at least `most`.
fn round(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        let digits = [1, 2, 3, 4, 5, 6, 8].into_iter().map(|digit| power.saturating_mul(digit));
        if let Some(round) = digits.into_iter().find(|round| *round >= most) {
            return round;
        }
        power = power.saturating_mul(10);
    }
}

/// The end of an axis of counts.
pub(super) fn count(most: u64) -> Top {
    let value = round(most.max(1));
    Top { value, label: human::thousands(value) }
}

/// The end of an axis of bytes.
pub(super) fn bytes(most: u64) -> Top {
    let mut unit = 1_u64;
    for name in ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] {
        // From 1,000 on, use the next unit: 1,023 KiB is hard to read.
        if most.div_ceil(unit) < 1_000 {
            let number = round(most.div_ceil(unit).max(1));
            return Top { value: number.saturating_mul(unit), label: format!("{number} {name}") };
        }
        unit = unit.saturating_mul(1_024);
    }
    Top { value: most, label: human::size(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: Vec<Option<u64>>) -> Chart {
        let slots = values.len();
        let top = count(values.iter().flatten().copied().max().unwrap_or_default());
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
    fn chart_has_an_accessible_name_and_description() {
        let drawn = chart(vec![Some(1), None]).draw().into_string();
        assert!(drawn.contains(r#"role="img" aria-labelledby="c1-t c1-d""#), "{drawn}");
        assert!(drawn.contains(r#"id="c1-t">Events &lt;a&gt; day</span>"#), "{drawn}");
        assert!(drawn.contains(r#"id="c1-d">…</span>"#), "{drawn}");
        assert!(drawn.contains("&lt;all&gt;") && drawn.contains(">missing<"), "{drawn}");
    }

    #[test]
    fn small_values_have_a_bar_and_zeros_have_none() {
        let path = |values| chart(values).bars(&chart(vec![Some(1_000), Some(1), Some(0), None]).rows[0]);
        assert_eq!(path(vec![None; 4]), "M1 360V0H7V360zM9 360V352H15V360z");
    }

    #[test]
    fn daily_bars_of_a_year_touch_and_fill_the_plot() {
        let mut values = vec![None; 365];
        (values[0], values[364]) = (Some(2), Some(1));
        let chart = chart(values);
        assert_eq!(chart.bars(&chart.rows[0]), "M0 360V0H8V360zM2912 360V180H2920V360z");
    }

    #[test]
    fn labels_never_touch_on_any_screen() {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let shown = |names: &[&str]| {
            let ticks =
                names.iter().enumerate().map(|(first, name)| Tick { first, slots: 1, what: (*name).to_owned() });
            let chart = Chart { slots: names.len(), ticks: ticks.collect(), ..chart(vec![Some(1)]) };
            let shown = chart.ticks_shown();
            [0, 1, 2].map(|screen| shown.iter().filter(|shown| shown[screen]).count())
        };
        assert_eq!(shown(&months), [6, 12, 12], "every second one on a phone");
        assert_eq!(shown(&["2024-12"; 12]), [4, 6, 6]);
        assert_eq!(shown(&["2024"]), [1, 1, 1]);
    }

    #[test]
    fn neighbours_with_the_same_reason_are_one_band() {
        let (missing, open) = (Some(Absence::Missing), Some(Absence::NotOver));
        let parts = [(31, None), (28, missing), (31, missing), (30, None), (31, missing), (30, open)];
        let found = bands(parts).into_iter().map(|band| (band.first, band.slots, band.what));
        let expected = [(31, 59, Absence::Missing), (120, 31, Absence::Missing), (151, 30, Absence::NotOver)];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn months_of_several_years_have_their_year() {
        let names = |first: &str, last: &str| {
            let months = Month::range(first.parse().unwrap(), last.parse().unwrap()).collect::<Vec<_>>();
            names(months.into_iter()).collect::<Vec<_>>()
        };
        assert_eq!(names("2025-02", "2025-03"), ["Feb", "Mar"]);
        assert_eq!(names("2024-12", "2025-01"), ["2024-12", "2025-01"]);
        assert_eq!(names("2025-02", "2025-01"), [] as [&str; 0]);
    }

    #[test]
    fn open_months_have_another_class_than_missing_ones() {
        let classes = [Absence::Missing, Absence::Unread, Absence::NotOver].map(|why| (why.label(), why.class()));
        assert_eq!(classes, [("missing", "gap lost"), ("unread", "gap lost"), ("not over", "gap")]);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        let tops = [0, 1, 7, 10, 12, 321, 987_654].map(|most| count(most).label);
        assert_eq!(tops, ["1", "1", "8", "10", "20", "400", "1,000,000"]);
        assert_eq!(count(u64::MAX).value, u64::MAX);
    }

    #[test]
    fn sizes_end_at_round_numbers_of_their_unit() {
        let tops = [0, 500, 1_000, 637_000, 1_023 * 1_024, 5 << 30, u64::MAX].map(|most| bytes(most).label);
        assert_eq!(tops, ["1 B", "500 B", "1 KiB", "800 KiB", "1 MiB", "5 GiB", "15.9 EiB"]);
        assert!([1, 999, 1_000, 1_025, 1 << 50].into_iter().all(|most| bytes(most).value >= most));
    }
}
