"""A comparison as a table in Markdown, with the medians of all rounds, and its goals."""

import statistics


def text(number):
    if isinstance(number, int):
        return f"{number:,}"
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:,.{digits}f}"


def medians(results):
    """The median of each column of each program."""
    return {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in results.items()}


def least(measured, names, column):
    return min(measured[name][column] for name in names)


def columns(comparison, results, measured):
    """The heading of each column, and its text for each program."""
    for column in comparison.columns:
        if column == "seconds":
            yield "seconds (least to most)", {name: spread([run[column] for run in runs]) for name, runs in results.items()}
            if comparison.against:
                yield f"of {owner(comparison.against)}", ratios(measured, column, comparison.against, 2)
        else:
            yield column, {name: text(values[column]) if column in values else "" for name, values in measured.items()}
        if column == "MB written":
            for peer in [name for name in measured if name.endswith("duckdb")]:
                yield f"of {owner([peer])}", ratios(measured, column, [peer], 3)


def ratios(measured, column, names, digits):
    return {name: f"{values[column] / least(measured, names, column):.{digits}f}" for name, values in measured.items()}


def print_table(comparison, results):
    measured = medians(results)
    heads, cells = zip(*columns(comparison, results, measured))
    print(f"\n{comparison.title}, medians of {len(next(iter(results.values())))} rounds\n")
    print("| |", " | ".join(heads), "|")
    print("|---" * (len(heads) + 1) + "|")
    for name in measured:
        print(f"| {name} |", " | ".join(column[name] for column in cells), "|")
    print()
    for goal in comparison.goals:
        print("*", verdict(goal, measured))


def spread(seconds):
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def owner(names):
    return f"{names[0]}'s" if len(names) == 1 else "the fastest peer's"


def verdict(goal, measured):
    reached = measured[goal.program][goal.column]
    what = f"{goal.program}, {goal.column}"
    if goal.of:
        reached /= least(measured, goal.of, goal.column)
        what += f" of the least of {', '.join(goal.of)}" if len(goal.of) > 1 else f" of {goal.of[0]}"
    outcome = "met" if reached <= goal.bound else f"missed, {reached / goal.bound:.2f} times the goal"
    return f"{what}: {text(reached)}, goal {text(goal.bound)}: {outcome}"
