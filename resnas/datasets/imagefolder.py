"""A user's own pictures as folders of files."""

from __future__ import annotations

from pathlib import Path

from resnas.datasets._files import confined, inside
from resnas.datasets._folders import by_class, classes_of
from resnas.datasets._images import require_tenth, spread
from resnas.datasets._listed import ListedDataset, Listing
from resnas.datasets._pictures import picture_size
from resnas.errors import DatasetUnavailable

_DEFAULT = 224


class ImageFolder(ListedDataset):
    """`imagefolder:<name>` is `<name>/train/<class>/<picture>` under the data root.

    `val/` and `test/` may lie beside `train/` with the same classes; without `val/` a tenth of
    train, stratified, seed 0, is the validation split; without `test/` there is none.

    Where the pictures of train have one size of at most 224 pixels, that is the input size (a
    sample of 4096 is looked at); otherwise it is 224 × 224. A picture of another size is resized
    so that its shorter side has 8/7 of the input size, and the centre is cropped.
    """

    argument = "name"
    about = "<name>/train/<class>/*.jpg, and val/ or test/ beside it; 224×224 if sizes differ"

    def __init__(self, root: Path, argument: str | None = None) -> None:
        folder = _Folder(root, argument or "")
        self.num_classes, self.input_size = folder.facts()
        train, val, test = (folder.listing(split) for split in ("train", "val", "test"))
        self._take(train, val or None, test or None, place=folder.place)

    @classmethod
    def facts(cls, root: Path, argument: str | None = None) -> tuple[int, tuple[int, int, int]]:
        """From the folders' names and the headers of at most 4096 pictures."""
        return _Folder(root, argument or "").facts()


class _Folder:
    """The files of one data set, checked."""

    def __init__(self, root: Path, name: str) -> None:
        self.place = f"imagefolder:{name}"
        self.root = root
        self.path = confined(root, self.place, name)
        train = inside(root, self.place, self.path / "train")
        if not train.is_dir():
            raise DatasetUnavailable(
                self.place,
                f"there is no folder {train}",
                "Put pictures there as train/<class>/<picture>, or point RESNAS_DATASETS_DIR "
                "at the folder that holds it",
            )
        self.classes = classes_of(train, root)

    def facts(self) -> tuple[int, tuple[int, int, int]]:
        """(num_classes, input_size)."""
        paths = [path for path, _ in self.listing("train")]
        if not (self.path / "val").is_dir():
            require_tenth(len(paths), self.place)
        sizes = set()
        for i in spread(len(paths)).tolist():
            sizes.add(picture_size(paths[i]))
            if len(sizes) > 1:
                break
        size = sizes.pop()
        if sizes or max(size) > _DEFAULT:
            size = (_DEFAULT, _DEFAULT)
        return len(self.classes), (3, *size)

    def listing(self, split: str) -> Listing:
        """(file, label) of every picture of `split`, sorted; empty where there is no folder."""
        folder = inside(self.root, self.place, self.path / split)
        if not folder.is_dir():
            return []
        return by_class(folder, self.classes, every=split == "train", root=self.root)
