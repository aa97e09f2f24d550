"""`./doit addon`: a site's own words for the command line of a signed UKI, in an addon that it signs."""

from pipeline.build.build import run_uncached
from pipeline.build.session import Session
from pipeline.errors import PipelineError
from pipeline.inspection.open import located
from pipeline.plan.step import Step
from pipeline.steps import addon as step_of_addon
from pipeline.store.files import explained, replacing

ENDING = ".addon.efi"
"""How the stub knows addons (systemd-stub(7))."""

OUTPUT = f"made{ENDING}"
NAME = "addon"


def judge(_session: Session, cmdline: str = "", out: str = "", **_other: object) -> None:
    """Raise PipelineError for words that no command line has, and for a file that no stub looks at."""
    if not cmdline.strip():
        raise PipelineError(
            "--cmdline is missing: it says what is added to the command line", '--cmdline "console=ttyS1"'
        )
    if wrong := next((letter for letter in cmdline if not " " <= letter <= "~"), ""):
        raise PipelineError(
            f"--cmdline: {wrong!r} is no printable ASCII character",
            "Linux takes no other in its command line",
        )
    if not out.endswith(ENDING) or out == ENDING:
        raise PipelineError(
            f"--out {out!r}: the stub takes files alone whose names end in {ENDING}", f"--out site{ENDING}"
        )


def addon(session: Session, cmdline: str, out: str) -> None:
    """Make an addon, and say how it is signed and where it goes. Raises PipelineError as `judge` does."""
    judge(session, cmdline, out)
    target = located(out)
    data = made(session, cmdline)
    with explained(target, "write", cache=False), replacing(target) as file:
        file.write(data)
    shown = session.shown(target)
    signed = shown.removesuffix(ENDING) + f".signed{ENDING}"
    session.report.print(f"{shown}: adds {cmdline!r}")
    session.report.print(
        f"  to sign it:  ./doit sign --secure-boot --key KEY --certificate CERTIFICATE --out {signed} {shown}"
    )
    session.report.print("  it belongs into the folder FILE.extra.d beside FILE, the UKI that is started")


def made(session: Session, cmdline: str) -> bytes:
    """Return an addon for the command line, which nobody has signed; raise PipelineError where it fails."""
    step = Step(
        name=NAME,
        summary="Make an addon of a command line.",
        container=session.project.lock_of("imager"),
        inputs={},
        outputs=(OUTPUT,),
        params={"cmdline": cmdline, "output": OUTPUT},
        run=step_of_addon.build,
    )
    with session.store.scratch() as scratch:
        with session.report.step(step.name, step.summary) as line:
            run_uncached(step, session.builder, scratch, scratch / "log", line, known_as=step.name)
        return (scratch / OUTPUT).read_bytes()
