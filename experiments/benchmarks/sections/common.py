from experiments.benchmarks import markdown


def machine(about):
    """The description of the machine and the backends as a list."""
    lines = [
        f"- {about['date']}, `{about['command']}`",
        f"- {about['cpu']}, {about['cores']} cores "
        f"({about['logical_cores']} logical), "
        f"{about['memory_bytes'] / 2**30:.0f} GiB of memory, {about['system']}",
    ]
    if about["environment"]:
        settings = " ".join(f"{k}={v}" for k, v in about["environment"].items())
        lines.append(f"- environment: `{settings}`")
    for backend, described in about["backends"].items():
        versions = ", ".join(
            f"{n} {v}" for n, v in described["versions"].items()
        )
        commit = described["commit"]
        lines.append(
            f"- {backend}: {described['device']}, threads: "
            f"{described['threads']}; {versions}"
            + (f"; commit {commit}" if commit else "")
        )
    return "\n".join(lines)


def quietness(rows):
    """The number of rounds, and which of them count."""
    row = rows.iloc[0]
    used = "the quiet ones" if row["rounds_used"] == "quiet" else "all"
    return (
        f"Rounds: {row['rounds']}, busy ones: {row['busy_rounds']}; medians "
        f"over {used}."
    )


def disturbed(where):
    """A warning about medians over busy rounds."""
    return (
        f"THE MACHINE WAS BUSY in more than half of the rounds of {where}. The "
        "medians are over all rounds and must not be trusted."
    )


def failures(rows):
    """A table of the subjects that could not be measured, and why."""
    failed = rows[rows["error"] != ""]
    if failed.empty:
        return
    yield f"### Failed: {len(failed)}"
    names = ("model", "shape", "mode", "backend", "layer", "recurrence", "jit")
    names += ("jit_compile", "unroll", "units", "task", "format", "error")
    shown = failed[[name for name in names if name in failed]].astype(str)
    shown["error"] = shown["error"].str.replace("|", "\\|")
    yield markdown.table(shown.to_dict("records"))
