//! One generated event.

use super::random::Random;
use archive_formats::{Dataset, Timestamp, Window};
use serde_json::json;

/// A month of generated events. It is divided into as many slots as it has events, with one event in each: times never
/// decrease, and any event can be generated without those before it.
#[derive(Debug)]
pub(super) struct Month {
    events: u64,
    seed: u64,
    window: Window,
    dataset: u64,
}

/// The values of an event, as in an API artifact. Costs are in millionths of a dollar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) timestamp: i64,
    pub(super) decision: &'static str,
    pub(super) reason_code: Option<&'static str>,
    pub(super) gateway_id: &'static str,
    pub(super) user_id: String,
    pub(super) team_id: Option<&'static str>,
    pub(super) provider: &'static str,
    pub(super) model: &'static str,
    pub(super) request_id: String,
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
    pub(super) cost_micros: i64,
    pub(super) latency_ms: Option<i64>,
    pub(super) policies_evaluated: String,
    pub(super) metadata: Option<String>,
}

/// Provider, model, and the price of a thousand tokens in and out, in millionths of a dollar.
const MODELS: [(&str, &str, u64, u64); 6] = [
    ("openai", "gpt-4o", 2_500, 10_000),
    ("openai", "gpt-4o-mini", 150, 600),
    ("anthropic", "claude-sonnet-4", 3_000, 15_000),
    ("anthropic", "claude-haiku-3.5", 800, 4_000),
    ("mistral", "mistral-large", 2_000, 6_000),
    ("azure-openai", "gpt-4.1", 2_000, 8_000),
];
const GATEWAYS: [&str; 4] = ["gw_prod_east", "gw_prod_west", "gw_eu_frankfurt", "gw_staging"];
const TEAMS: [&str; 5] = ["team_payments", "team_support", "team_research", "team_legal", "team_données"];
const NAMES: [&str; 8] = ["alice", "bob", "zoë.müller", "李雷", "søren", "o'brien", "amélie", "नेहा"];
const POLICIES: [&str; 4] = ["pii-detection", "prompt-injection", "budget-limit", "topic-guard"];
/// The outcome of a policy other than `pass`: decision, result, reason.
const INTERVENTIONS: [(&str, &str, &str); 4] = [
    ("blocked", "block", "prompt_injection.detected"),
    ("redacted", "redacted", "pii.email"),
    ("redacted", "redacted", "pii.iban"),
    ("escalated", "escalate", "topic.legal_advice"),
];
const PROMPTS: [&str; 5] = [
    "summarise the \"Q3\" report, please",
    "traduire ça en français",
    "请翻译这段文字",
    "line one\nline two\tand a tab",
    "does 5 > 3, and 3 < 5? 🤔",
];

impl Month {
    pub(super) fn new(events: u64, seed: u64, dataset: &Dataset, window: Window) -> Self {
        let letters = dataset.as_str().bytes().map(u64::from).collect::<Vec<_>>();
        Self { events, seed, window, dataset: Random::seeded(&letters).next() }
    }

    pub(super) const fn window(&self) -> Window {
        self.window
    }

    /// Number of the slot that contains `at`: events of earlier slots are before `at`, those of later ones are not.
    pub(super) fn slot(&self, at: Timestamp) -> u64 {
        let passed = if at > self.window.from() { self.window.from().distance(at).as_micros() } else { 0 };
        narrow(u128::from(self.events) * passed / self.window.length().as_micros())
    }

    /// The event with the number `number`.
    pub(super) fn event(&self, number: u64) -> Event {
        let month = self.window.from().as_micros().cast_unsigned();
        let mut random = Random::seeded(&[self.seed, self.dataset, month, number]);
        let timestamp = self.time(number, &mut random);
        let (provider, model, input_price, output_price) = random.pick(&MODELS);
        let intervention = random.chance(12).then(|| random.pick(&INTERVENTIONS));
        let decision = intervention.map_or("allowed", |(decision, ..)| decision);
        let input_tokens = 20 + random.below(4_000);
        let output_tokens = if decision == "blocked" { 0 } else { 1 + random.below(1_500) };
        let cost = (input_tokens * input_price + output_tokens * output_price) / 1_000;
        Event {
            id: uuid(&mut random),
            timestamp,
            decision,
            reason_code: intervention.map(|(.., reason)| reason),
            gateway_id: random.pick(&GATEWAYS),
            user_id: format!("{}.{:03}", random.pick(&NAMES), random.below(1_000)),
            team_id: random.chance(90).then(|| random.pick(&TEAMS)),
            provider,
            model,
            request_id: format!("req_{:016x}", random.next()),
            input_tokens: signed(input_tokens),
            output_tokens: signed(output_tokens),
            cost_micros: signed(cost),
            latency_ms: random.chance(97).then(|| signed(30 + random.below(9_000))),
            policies_evaluated: policies(intervention.map(|(_, result, _)| result), &mut random),
            metadata: random.chance(60).then(|| metadata(&mut random)),
        }
    }

    /// A time in the slot, in microseconds since the epoch.
    fn time(&self, number: u64, random: &mut Random) -> i64 {
        let length = self.window.length().as_micros();
        let edge = |number: u64| length * u128::from(number) / u128::from(self.events.max(1));
        let (start, end) = (edge(number), edge(number.saturating_add(1)));
        let offset = narrow(start) + random.below(narrow(end - start));
        self.window.from().as_micros() + signed(offset)
    }
}

pub(super) fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    let (variant, node) = (0x8000 | (low >> 48) & 0x3fff, low & 0xffff_ffff_ffff);
    format!("{:08x}-{:04x}-4{:03x}-{variant:04x}-{node:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xfff)
}

fn policies(intervention: Option<&str>, random: &mut Random) -> String {
    let stopped = random.below(4);
    let results = (0..).zip(POLICIES).map(|(index, name)| {
        let result = intervention.filter(|_| index == stopped).unwrap_or("pass");
        json!({"name": name, "result": result, "latency_ms": random.below(40)})
    });
    serde_json::Value::Array(results.collect()).to_string()
}

/// Mostly compact, sometimes pretty-printed: values with line breaks break careless readers of CSV.
fn metadata(random: &mut Random) -> String {
    let document = json!({
        "prompt_preview": random.pick(&PROMPTS),
        "session": format!("{:08x}", random.below(1 << 32)),
        "retries": random.below(3),
    });
    if random.chance(5) { format!("{document:#}") } else { document.to_string() }
}

#[expect(clippy::expect_used, reason = "counts of tokens, and microseconds of a month")]
fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("far below the limit")
}

#[expect(clippy::expect_used, reason = "numbers of slots, and microseconds of a month")]
fn narrow(number: u128) -> u64 {
    u64::try_from(number).expect("at most the events or the microseconds of a month")
}
