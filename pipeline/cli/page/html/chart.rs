//! Small bar charts, stacked over a common time axis. Every chart has a title and a text description, and no
//! information depends on colour: each row has its name next to it.

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

/// Sizes in SVG units. Positions of bars are in tenths of a unit.
const WIDTH: usize = 780;
const LEFT: usize = 216;
const PLOT: usize = WIDTH - LEFT - 8;
const ABOVE: usize = 10;
const BARS: usize = 36;
const PITCH: usize = 56;
/// Minimum width of a slot, in tenths, for a margin around its bar.
const APART: usize = 50;
/// Maximum width of a bar, in tenths.
const WIDEST: usize = 400;
/// Approximate width of a letter, to omit labels that do not fit.
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

    /// The left edge of a slot, in tenths.
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

    /// One path for all bars. The smallest value is still visible.
    fn bars(&self, row: &Row, base: usize) -> String {
        let mut path = String::new();
        let apart = self.x(1) - self.x(0) >= APART;
        for (slot, value) in row.values.iter().enumerate() {
            let Some(value) = value.filter(|value| *value > 0) else { continue };
            let height = u128::from(value) * (BARS as u128 * 10) / u128::from(row.top.value.max(1));
            // Saturates: a bar is never taller than its row.
            let height = usize::try_from(height).unwrap_or(usize::MAX).clamp(8, BARS * 10);
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

/// Formats a number of tenths.
fn tenths(number: usize) -> String {
    if number.is_multiple_of(10) { (number / 10).to_string() } else { format!("{}.{}", number / 10, number % 10) }
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
        let svg = chart(vec![Some(1), None]).draw().into_string();
        assert!(svg.contains(r#"role="img" aria-labelledby="c1-t c1-d""#), "{svg}");
        assert!(svg.contains(r#"<title id="c1-t">Events &lt;a&gt; day</title><desc id="c1-d">…</desc>"#), "{svg}");
        assert!(svg.contains("&lt;all&gt;") && svg.contains(">missing<"), "{svg}");
    }

    #[test]
    fn small_values_have_a_bar_and_zeros_have_none() {
        let path = |values| chart(values).bars(&chart(vec![Some(1_000), Some(1), Some(0), None]).rows[0], 46);
        assert_eq!(path(vec![None; 4]), "M265.5 46V10H305.5V46zM404.5 46V45.2H444.5V46z");
    }

    #[test]
    fn daily_bars_of_a_year_fit_into_the_plot() {
        let mut values = vec![None; 365];
        (values[0], values[364]) = (Some(2), Some(1));
        let chart = chart(values);
        let path = chart.bars(&chart.rows[0], 46);
        assert_eq!(path, "M216 46V10H217.5V46zM770.4 46V28H772V46z");
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
