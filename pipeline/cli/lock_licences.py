"""The licences of all locked Debian packages: read from the packages' copyright files, and written down."""

from collections.abc import Mapping

from pipeline.debian.lock import Package
from pipeline.debian.packages import download
from pipeline.errors import ConfigError
from pipeline.project.checkout import Project
from pipeline.release.bom import deb_facts, licence_lock, licences
from pipeline.release.bom.components import Licence
from pipeline.release.bom.deb_facts import Documents
from pipeline.release.bom.licence_lock import Licences, packages_of
from pipeline.report import Report
from pipeline.store.cache import Store


def write_licences(project: Project, store: Store, report: Report, *, anew: bool = False) -> None:
    """Write down the licences of all packages that locks name, and say what changes.

    Those that are known stay, unless all are read `anew`. Raises FetchError as `download` does.
    """
    try:
        before = licence_lock.load(project.root)
    except ConfigError:  # what it said is in the packages
        before = Licences((), {})
    after = read_licences(project, store, report, {} if anew else before.by_digest())
    for text in licence_lock.changes(before, after):
        report.print(text)
    if after != before:
        licence_lock.write(project.root, after)
        report.print(f"written: {licence_lock.PATH}")


def check_licences(project: Project, store: Store, report: Report, *, anew: bool = False) -> bool:
    """Say whether the licences of all packages that locks name are written down; with `anew`, rightly.

    Raises FetchError as `download` does.
    """
    try:
        licence_lock.read(project)
    except ConfigError as error:
        report.print(str(error), style="yellow")
        return False
    locked = licence_lock.load(project.root)
    now = read_licences(project, store, report, {}) if anew else locked
    wrong = [each for each in now.packages if each not in locked.packages]
    for each in wrong:
        said = each.licence or "no licence"
        report.print(f"{licence_lock.PATH}: {each.name} {each.version} says {said}", style="yellow")
    if not wrong:
        report.print(f"written down: the licences of all {len(locked.packages)} packages", style="green")
    return not wrong


def read_licences(project: Project, store: Store, report: Report, known: Mapping[str, Licence]) -> Licences:
    """Return the licences of all packages that locks name; those `known`, by SHA-256, are not read.

    Raises FetchError as `download` does, FormatError for what is no package.
    """
    packages = packages_of(project)
    known = {sha256: licence for sha256, licence in known.items() if licence.expression}
    wanted = [package for sha256, package in packages.items() if sha256 not in known]
    documents = {}
    if wanted:
        with report.step(licence_lock.NAME, "read what packages say of them") as line:
            paths = download(wanted, project.sources(), store, line.progress)
            for done, (package, path) in enumerate(zip(wanted, paths, strict=True), 1):
                documents[package] = deb_facts.documents(path, package.name)
                line.progress(done, len(wanted), "packages")
    found: dict[str, Licence] = {}
    for lock in project.all_locks.values():
        others = {package.name: package for package in lock.packages}
        for package in lock.packages:
            if package.sha256 not in found or not found[package.sha256].expression:
                found[package.sha256] = _licence(package, others, known, documents)
    return licence_lock.licences_of(packages, found)


def _licence(
    package: Package,
    others: Mapping[str, Package],
    known: Mapping[str, Licence],
    documents: Mapping[Package, Documents],
) -> Licence:
    """Return a package's licences, which may be written down in another one of its lock, and so on."""
    asked = set[Package]()
    while package not in asked:
        asked.add(package)
        if package.sha256 in known:
            return known[package.sha256]
        said = documents[package]
        if said.copyright:
            return licences.of_debian(said.copyright, said.source)
        package = others.get(said.elsewhere, package)
    return Licence()
