"""A folder of files that are one table, as clusters write it."""

from pathlib import Path

from transrec_core.data.opening import not_opened, refusal

DONE, UNDONE = "_SUCCESS", "_temporary"


def parts_of(folder: Path, name: str) -> list[Path]:
    """The files of a folder in the order of their names; those that begin with _ or . are no data.

    Raises
    ------
    UnreadableFileError
        With the codes NOT_FOUND, UNFINISHED_FOLDER, NOT_A_TABLE and EMPTY_FILE.
    """
    try:
        found = sorted(folder.iterdir())
        parts = [path for path in found if not path.name.startswith(("_", "."))]
        filled = [path for path in parts if path.stat().st_size]
    except OSError as error:
        raise not_opened(name, error) from None
    names = {path.name for path in found}
    if UNDONE in names and DONE not in names:
        raise refusal(
            name,
            "UNFINISHED_FOLDER",
            f"The folder holds {UNDONE} but no {DONE}, so whoever writes it has not finished.",
            "Wait until it is written, or write it again.",
        )
    inner = next((path.name for path in parts if path.is_dir()), None)
    if inner is not None:
        raise refusal(
            name,
            "NOT_A_TABLE",
            f"The folder holds another folder ({inner}), so it is not clear what its table is.",
            "Give the path of a folder that holds nothing but the parts of one table.",
        )
    if not filled:
        raise refusal(
            name,
            "EMPTY_FILE",
            "The folder holds no files with data.",
            "Choose a folder with the parts of a table in it.",
        )
    return filled
