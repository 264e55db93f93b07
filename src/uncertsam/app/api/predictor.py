"""A mask, and a map of where not to trust it, in three lines.

    predictor = UncertaintyPredictor.from_pretrained("sam2_nano", methods=["sam"])
    predictor.set_image("cat.jpg")
    prediction = predictor.predict(box=[20, 30, 180, 200])   # .mask, .uncertainty, .plot(), .save("out"), .to_coco()

Asked with the pipeline's seed, dataset and image id it answers what the pipeline does, number for number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from PIL.Image import Image

from uncertsam.app.api import loading
from uncertsam.app.api._encoded_image import EncodedImage, model_of, see, seen_by
from uncertsam.app.api._inference import ask
from uncertsam.app.api.pictures import MOST, name_of, picture_of
from uncertsam.app.api.prediction import Origin, Prediction
from uncertsam.app.api.prompts import Question, question
from uncertsam.base.errors import UserError, printable
from uncertsam.base.rng import torch_generator
from uncertsam.inference.algebra import Method
from uncertsam.models.promptable import PromptableModel

DATASET = "picture"


class UncertaintyPredictor:
    """Answers prompts on one picture at a time, by any method of `uncertsam.methods`; feels like SAM 2's predictor.

    model: shared by all methods. methods: built at once, so that what they lack is known at once; the first is the
    default, and others are built when they are asked for. fitted: the folder of fitted parts, None for
    data/fitted/MODEL of the checkout (elsewhere uncertsam_fitted/MODEL), else what the package has for an embedded
    model. params: those of each method, or a file with a section `methods`, None for params.yaml of the checkout, else
    the package's own. seed: of all random numbers. max_megapixels: of a picture.

    It can be pickled, for spawned processes, Ray or joblib. What travels is the model's file, name, hash and device,
    parameters and seed: the model is loaded again at its first use there. The picture that is set stays here.
    """

    def __init__(
        self,
        model: PromptableModel,
        methods: Sequence[str] = ("sam",),
        fitted: str | Path | None = None,
        params: loading.Sections | str | Path | None = None,
        seed: int = 0,
        max_megapixels: float = MOST,
    ) -> None:
        if not isinstance(methods, list | tuple) or not methods:
            raise UserError(f"methods={methods!r} is no list of names.", 'Give such as methods=["sam"].')
        _check(seed, Integral, "seed", "a whole number")
        _check(max_megapixels, Real, "max_megapixels", "a number")
        _check(fitted, str | Path | None, "fitted", "a folder")
        _check(params, str | Path | Mapping | None, "params", "a file, or {section: {key: value}}")
        self._model: PromptableModel | None = model
        self._known: dict[str, str] = {}
        self.seed, self.max_megapixels = seed, max_megapixels
        self.fitted = None if fitted is None else Path(fitted)
        self._given = loading.method_params(Path(params) if isinstance(params, str) else params)
        self._built: dict[str, tuple[Method, Any]] = {}
        self._seen: EncodedImage | None = None
        self.default = methods[0]
        for name in methods:
            self.method(name)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = "sam2_nano",
        methods: Sequence[str] = ("sam",),
        device: str = "auto",
        name: str | None = None,
        **options: Any,
    ) -> "UncertaintyPredictor":
        """A model by name (`sam2_nano`, `sam2.1_large`, ...) or by its file of weights, whose hash is checked.

        device: auto, cpu, cuda or mps. name: which model a file holds, where it does not say. options: as for the
        class. Raises UserError where weights, device, method or fitted part are missing or do not fit together.
        """
        _check(name_or_path, str | Path, "name_or_path", "the name of a model, or a file of weights")
        _check(name, str | None, "name", "the name of a model")
        return cls(loading.load(name_or_path, device, name), methods, **options)

    @classmethod
    def wrap(
        cls,
        predictor: Any,
        methods: Sequence[str] = ("sam",),
        weights: str | Path | None = None,
        name: str | None = None,
        **options: Any,
    ) -> "UncertaintyPredictor":
        """Around a loaded `SAM2ImagePredictor`: its model is shared, and the picture that it has set is taken over.

        weights: the file that it was loaded from, needed for methods with a fitted part. Of a picture taken over only
        the features are known: methods that change the picture, and drawings, need `set_image`. Raises UserError where
        the model is not what it is said to be.
        """
        own = cls(model_of(predictor, None if weights is None else Path(weights), name), methods, **options)
        own._seen = seen_by(predictor, DATASET)
        return own

    @property
    def model(self) -> PromptableModel:
        """Shared by all methods. Raises UserError where it was to be loaded again, and is not there."""
        if self._model is None:
            self._model = loading.found_by(self._known)
        return self._model

    def __getstate__(self) -> dict[str, Any]:
        known = loading.known_by(self._model) if self._model else self._known
        fresh = {
            "_model": None,
            "_known": known,
            "_built": {},
            "_seen": None,
            "fitted": self.fitted and self.fitted.absolute(),
        }
        return vars(self) | fresh

    def __copy__(self) -> "UncertaintyPredictor":
        """One that shares model and methods, and may look at another picture."""
        own = object.__new__(type(self))
        vars(own).update(vars(self))
        return own

    def method(self, name: str) -> Method:
        """A method, built at the first time. Raises UserError where there is none, or its fitted part is of no use."""
        _check(name, str, "method", "a name")
        if name not in self._built:
            self._built[name] = loading.build(name, self.model, self.fitted, self._given)
        return self._built[name][0]

    def set_image(self, image: Any, dataset: str = DATASET, image_id: str | int | None = None) -> None:
        """Encode a picture: a path, a PIL image, an array [H, W, 3] of uint8, a tensor [3, H, W]; see `pixels_of`.

        dataset, image_id: by which random numbers are drawn; None for a hash of the pixels. Raises UserError on what is
        no picture or too large; the picture before stays then.
        """
        (self._seen,) = self._see([image], dataset, [image_id])

    def predict(
        self,
        box: Any = None,
        points: Any = None,
        labels: Any = None,
        mask: Any = None,
        method: str | None = None,
        decompose: bool = True,
    ) -> Prediction:
        """One object's mask and uncertainty.

        box: x0, y0, x1, y1, pixel indices with both ends inside, cut where it reaches out of the picture. points: x, y
        each, labels 1 on the object and 0 beside it, None for all on it. mask: an earlier prediction, or its logits.
        Any of these together. method: None for the first. decompose: also what U is made of, where that is known.
        Raises UserError without a picture and on a prompt that makes no sense.
        """
        seen = self._looked_at()
        side = self.model.geometry.mask_size
        asked = question(seen.size, box, points, labels, mask, side)
        return self._ask(seen, [asked], method, decompose)[0]

    def predict_boxes(self, boxes: Any, method: str | None = None, decompose: bool = True) -> list[Prediction]:
        """One answer per box, decoded together: much faster than one by one. Raises UserError as `predict` does."""
        seen = self._looked_at()
        return self._ask(seen, [question(seen.size, box) for box in _listed(boxes)], method, decompose)

    def predict_images(
        self,
        images: Iterable[Any],
        boxes: Iterable[Any],
        method: str | None = None,
        decompose: bool = True,
        batch: int = 1,
        dataset: str = DATASET,
    ) -> Iterator[list[Prediction]]:
        """The answers picture by picture, `batch` of them encoded together; boxes: those of each picture.

        Pictures are opened when their turn comes, and the one that is set stays so. Raises ValueError where there are
        not as many lists of boxes as pictures.
        """
        _check(batch, Integral, "batch", "a whole number of at least 1")
        if batch < 1:
            raise UserError(f"batch={batch} encodes nothing.", "Give a whole number of at least 1.")
        if isinstance(images, str | Path | Image) or getattr(images, "ndim", 4) < 4 or not isinstance(images, Iterable):
            raise UserError(f"images is one {type(images).__name__}, no list of pictures.", "Give [picture, ...].")
        pairs = zip(images, _listed(boxes), strict=True)
        while several := list(islice(pairs, batch)):
            for seen, some in zip(self._see([i for i, _ in several], dataset), (b for _, b in several), strict=True):
                yield self._ask(seen, [question(seen.size, box) for box in _listed(some)], method, decompose)

    @property
    def size(self) -> tuple[int, int]:
        """H, W of the picture that is set. Raises UserError where there is none."""
        return self._looked_at().size

    def _see(self, images: Sequence[Any], dataset: str, ids: Sequence[Any] | None = None) -> list[EncodedImage]:
        dtype = self._given[1].get("encode", {}).get("dtype", "float32")
        photos = [picture_of(image, self.max_megapixels) for image in images]
        names = [printable(name_of(image)) for image in images]
        return see(self.model, photos, names, ids or [None] * len(names), dataset, dtype)

    def _looked_at(self) -> EncodedImage:
        if self._seen is None:
            raise UserError("There is no picture yet.", "Call set_image first.")
        return self._seen

    def _ask(
        self, seen: EncodedImage, asked: Sequence[Question], method: str | None, decompose: bool
    ) -> list[Prediction]:
        name = method or self.default
        built = self.method(name)
        generator = partial(torch_generator, self.seed, seen.dataset, seen.image_id)
        replies = ask(self.model, seen, asked, name, built, generator, decompose)
        origin = self._origin(seen, name)
        return [
            Prediction(origin, one, seen.size, self.model.geometry, **vars(reply), pixels=seen.pixels, seen=seen.notes)
            for one, reply in zip(asked, replies, strict=True)
        ]

    def _origin(self, seen: EncodedImage, name: str) -> Origin:
        method, params = self._built[name]
        model = self.model
        return Origin(
            method=name,
            measure=method.measure.title,
            params=params.model_dump(mode="json"),
            model=model.name,
            model_sha256=model.digest,
            image=seen.name,
            dataset=seen.dataset,
            image_id=seen.image_id,
            seed=self.seed,
        )


def _listed(boxes: Any) -> Iterable[Any]:
    """Raises UserError where there is nothing to go through."""
    try:
        return iter(boxes)
    except TypeError:
        raise UserError(f"boxes={boxes!r} is no list of boxes.", "Give [[x0, y0, x1, y1], ...].") from None


def _check(value: Any, kind: Any, name: str, what: str) -> None:
    """Raise UserError where an argument is of another kind."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{name}={value!r} is not {what}.", f"Give {name} as {what}.")
