"""The command that explains runs; heavy imports are inside it."""

from typing import Annotated

import typer

from chaosbench.cli_output import AsJson, Results, print_json


def explain(
    results: Results,
    run_words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="An experiment: words of its labels, such as bptt lstm, or the start of its folder's name "
            "(default: all experiments, one line per seed).",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Explain this seed (default: the median seed).")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain why runs went well or badly: gradients and exponents, measured and as theory predicts them."""
    from chaosbench.terminal import explanation

    name = " ".join(run_words or ())

    if as_json:
        print_json(explanation.rows(results, name, seed))
    else:
        explanation.show(results, name, seed)
