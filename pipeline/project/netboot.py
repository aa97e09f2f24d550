"""What a recipe says of starting over the network, as far as it can be judged before anything is built."""

from pipeline.project.recipe import Recipe
from pipeline.steps.netboot import mistake_in


def mistakes(where: str, recipe: Recipe) -> list[str]:
    """Return why the recipe, which `where` names, cannot be started over the network as it is."""
    roots = [word for word in recipe.image.cmdline if word.startswith(("root=", "roothash="))]
    if recipe.root is not None or roots:
        why = "[root] makes one" if recipe.root is not None else f"image.cmdline has {roots[0]!r}"
        return [
            f"{where}: netboot: a server offers kernel and initramfs, and this system's root is on a disk "
            f"({why}): leave [netboot] out, or put all of the system into the initramfs"
        ]
    wrong = mistake_in(recipe.cmdline)
    return [f"{where}: image.cmdline: {wrong}, and [netboot] has it in a script for iPXE"] if wrong else []
