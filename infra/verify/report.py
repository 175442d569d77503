"""What a run found, as Markdown for people and as JSON for programs."""
import dataclasses
import json

from findings import FAILS, HOLDS, NOT_TRIED


def write(run, ended, left):
    """Writes both beside each other, and returns the Markdown. `left` is what is still there, by kind."""
    run.report.mkdir(parents=True, exist_ok=True)
    rows = list(run.findings.rows.items())
    counts = {verdict: sum(row.verdict == verdict for _, row in rows) for verdict in (HOLDS, FAILS, NOT_TRIED)}
    data = {
        "name": run.name, "where": run.where, "began": run.began, "ended": ended, "counts": counts,
        "assumptions": {name: dataclasses.asdict(row) for name, row in rows}, "steps": run.steps, "numbers": run.numbers,
        "left": left,
    }
    (run.report / f"{run.name}.json").write_text(json.dumps(data, indent=2) + "\n")
    text = "\n".join([
        f"# {run.name}", "", f"{run.where}, {run.began}. {ended}", "",
        f"Of {len(rows)} assumptions {counts[HOLDS]} hold, {counts[FAILS]} do not, {counts[NOT_TRIED]} were not tried.", "",
        *table(["assumption", "seen", ""], [[row.assumption, row.seen, bold(row.verdict)] for _, row in rows]), "",
        *table(["step", "seconds"], [[name, str(seconds)] for name, seconds in run.steps.items()]), "",
        *table(["measured", ""], [[name, said(value)] for name, value in run.numbers.items()]), "",
        f"Still there: {said(left)}." if left else "Nothing is left of it.", ""])
    (run.report / f"{run.name}.md").write_text(text)
    return text


def bold(verdict):
    return f"**{verdict}**" if verdict == FAILS else verdict


def said(value):
    return ", ".join(f"{name} {said(it)}" for name, it in value.items()) if isinstance(value, dict) else (
        ", ".join(map(str, value)) if isinstance(value, list) else str(value))


def table(head, rows):
    def cell(text):
        # What others have said must not end the table.
        return text.replace("|", "\\|").replace("\n", " ")

    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(map(cell, row)) + " |"
