"""One target in libFuzzer: `python -m tests.fuzz.engine TARGET CORPUS libFuzzer's options…`.

It ends at the first input that a target does not answer: an exception that is no FormatError, too long a
time, too much memory.
"""

import sys

import atheris

with atheris.instrument_imports(include=["pipeline"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz the target that the first argument names; the others are libFuzzer's."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name].answer)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
