"""What is known so far of the contents of a build: parts and links, as they are found."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from packageurl import PackageURL

from pipeline.build.session import Session
from pipeline.debian.lock import Lock, Package
from pipeline.errors import PipelineError
from pipeline.formats.fields import Image, chunks, open_image
from pipeline.plan.step import Step
from pipeline.project.manifest import Debian
from pipeline.release.bom import deb_facts, licence_lock, reuse
from pipeline.release.bom.components import Kind, Licence, Link, Part, Relation
from pipeline.release.bom.deb_facts import Facts
from pipeline.report import Line
from pipeline.store.cache import Blob

DEBIAN = "Debian"
"""Who supplies packages."""

UNKNOWN = Licence()


def artifact_ref(step: Step, name: str) -> str:
    """Return the ref of what a step publishes."""
    return f"artifact:{step.name}/{name}"


def container_ref(container: Lock) -> str:
    """Return the ref of the container of a lock."""
    return f"container:{container.tag}"


def purl_of(package: Package, debian: Debian) -> str:
    """Return the package URL of a locked package; its file's name says for which architecture it is."""
    arch = {"arch": package.architecture}
    suites = debian.archives.get(package.archive, ())
    distribution = {"distro": suites[0].partition("-")[0]} if suites else {}
    return PackageURL("deb", "debian", package.name, package.version, arch | distribution).to_string()


class Collection:
    """Parts and links as far as they are known; what is in an artifact is a tool no more."""

    def __init__(self, session: Session) -> None:
        self.session, self.project = session, session.project
        self.parts: dict[str, Part] = {}
        self.links: set[Link] = set()
        self.facts: dict[Package, Facts] = {}
        self.files: dict[Package, frozenset[tuple[str, str]]] = {}
        self.licences = licence_lock.read(self.project)
        self.annotations = reuse.read(self.project.root)

    def add(self, part: Part) -> str:
        """Take a part, and return its ref."""
        if part.ref not in self.parts or self.parts[part.ref].tool:
            self.parts[part.ref] = part
        return part.ref

    def link(self, part: str, relation: Relation, other: str) -> None:
        """Take a relation of two parts, by their refs."""
        self.links.add(Link(part, relation, other))

    def made(self, step: Step, name: str) -> Blob:
        """Return what a step made. Raises PipelineError where it has not been made."""
        if (result := self.session.builder.result(step)) is None:
            raise PipelineError(f"step {step.name} has not been made", "run `./doit iso` first")
        return result.outputs[name]

    def path(self, step: Step, name: str) -> Path:
        """Return where what a step made lies, fetched if need be. Raises LostError where nobody has it."""
        return self.session.builder.output(step.output(name), Line.silent())

    def open(self, step: Step, name: str) -> Image:
        """Open what a step made."""
        return open_image(self.path(step, name))

    def shown(self, path: Path) -> str:
        """Return where a file of the recipes or of the pipeline lies, as people say it."""
        root = self.project.root
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name

    def file(self, where: str, path: str, data: Image, origin: str, licence: Licence = UNKNOWN) -> str:
        """Take a file in the artifact `where`, under the licence of what it comes from; return its ref."""
        sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
        for chunk in chunks(data):
            sha256.update(chunk)
            sha1.update(chunk)
        ref = f"file:{where.partition(':')[2]}/{path}"
        self.add(
            Part(
                ref,
                Kind.FILE,
                path,
                "",
                "",
                sha256.hexdigest(),
                sha1.hexdigest(),
                len(data),
                licence,
                origin=origin,
            )
        )
        self.link(where, Relation.CONTAINS, ref)
        return ref

    def own_file(self, where: str, path: str, data: Image, source: Path) -> str:
        """Take a file that lies in the checkout, or in the pipeline, as `source`; return its ref."""
        shown = self.shown(source)
        return self.file(where, path, data, shown, reuse.licence_of(shown, self.annotations))

    def container(self, container: Lock) -> None:
        """Take a builder container and its packages."""
        name = container.tag.partition(":")[0]
        own = Part(
            container_ref(container),
            Kind.CONTAINER,
            name,
            container.layer[:16],
            self.project.manifest.product.name,
            container.layer,
            origin="made of Debian packages, as manifests/ says",
            tool=True,
        )
        for package in container.packages:
            self.link(self.add(own), Relation.CONTAINS, self.add(self.package(package, tool=True)))

    def package(self, package: Package, origin: str = "", *, tool: bool) -> Part:
        """Return the part that a locked package is."""
        purl = purl_of(package, self.project.manifest.debian)
        return Part(
            purl,
            Kind.DEBIAN,
            package.name,
            package.version,
            DEBIAN,
            package.sha256,
            size=package.size,
            licence=self.licences[package.sha256],
            purl=purl,
            origin=origin,
            tool=tool,
        )

    def used_package(self, package: Package, among: Iterable[Package]) -> str:
        """Take a package of which something is in an artifact, with what was linked into it; return its ref.

        `among` are the packages of its lock.
        """
        facts = self.facts_of(package)
        origin = f"built from Debian's source {' '.join(facts.source)}"
        ref = self.add(self.package(package, origin, tool=False))
        for name, version in facts.linked:
            self.link(ref, Relation.STATIC_LINK, self._source(name, version, among))
        return ref

    def of_packages(self, step: Step, ref: str, relation: Relation, names: str) -> None:
        """Take the packages of a step's container whose names match a pattern, as parts of what it made."""
        among = step.container.packages if step.container else ()
        for package in among:
            if re.fullmatch(names, package.name):
                self.link(ref, relation, self.used_package(package, among))

    def facts_of(self, package: Package) -> Facts:
        """Return what a package is made of."""
        if package not in self.facts:
            self.facts[package] = deb_facts.facts(self.fetched(package), package.name)
        return self.facts[package]

    def files_of(self, package: Package) -> frozenset[tuple[str, str]]:
        """Return SHA-256 and path of each file of a package, as `deb_facts.files` does."""
        if package not in self.files:
            self.files[package] = deb_facts.files(self.fetched(package))
        return self.files[package]

    def fetched(self, package: Package) -> Path:
        """Return where a package lies, fetched if need be."""
        from pipeline.debian.packages import download

        session = self.session
        return download([package], session.project.sources(), session.store, lambda *_: None)[0]

    def _source(self, name: str, version: str, others: Iterable[Package]) -> str:
        """Take a source package of which code was linked into another one; return its ref.

        Its licences are those of a package among `others` that was built from it.
        """
        purl = PackageURL("deb", "debian", name, version, {"arch": "source"}).to_string()
        built = (each for each in others if self.facts_of(each).source == (name, version))
        licence = next((self.licences[each.sha256] for each in built), Licence())
        origin = "linked into a package, as its Built-Using says"
        return self.add(
            Part(purl, Kind.SOURCE, name, version, DEBIAN, licence=licence, purl=purl, origin=origin)
        )
