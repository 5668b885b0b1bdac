"""A study's config as typed models: every key with its type, its default and what it means.

The models are the one place where keys, defaults and descriptions stand: the JSON schema for editors
(``config.schema.json``), the reference of config keys and ``study.yaml`` are made from them, and the comments of
``config.yaml`` are held against them. A description says what to write, for it ends the sentence of an error.

A feature set or method says its `kind`; a further kind is one model here and one more member of `FeatureSet`,
`ClassificationMethod` or `SegmentationMethod`.
"""

from collections.abc import Collection, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from slidecaf.errors import InputErrors
from slidecaf.study.config_checks import check_ablation, check_parts
from slidecaf.study.config_errors import explain
from slidecaf.study.config_file import read_config
from slidecaf.study.kinds import CLASSIFICATION_KINDS, ClassificationKind
from slidecaf.study.names import NAME, TASKS, is_timm, sets_of, trained_by


class Settings(BaseModel):
    """Keys and values of a config: as they were written, no further keys, never changed."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, regex_engine="python-re")

    def plain(self) -> dict:
        """Return plain keys and values, defaults filled in, in the models' order.

        Keys that were left out and have no default are left out.
        """
        return self.model_dump(warnings=False)  # which are about whole numbers where a fraction is allowed

    def given(self) -> dict:
        """Return plain keys and values that differ from the defaults.

        What results depend on is said by these, so that a later version with a further key, whose default is what was
        done before, computes nothing anew. Who changes a default raises the revision of what reads it.
        """
        return self.model_dump(exclude_defaults=True, warnings=False)


def _as_written(value, check):
    check(value)
    return value


def _number(**bounds):
    """Return the type of a number within bounds. A whole number stays one: results are named 3, not 3.0."""
    return Annotated[float, Field(**bounds), WrapValidator(_as_written)]


def _listed(value):
    alone = isinstance(value, int | float | str) and not isinstance(value, bool)
    return [value] if alone else value


def _candidates(item, description):
    """Return the type of a list of candidates; a single one may stand without brackets."""
    return Annotated[
        list[Annotated[item, Field(description=description)]], Field(min_length=1), BeforeValidator(_listed)
    ]


def _optional(description, **constraints):
    """Return a field that may be left out and has no default: it is then None, which cannot be written."""
    return Field(
        None,
        description=description,
        exclude_if=lambda value: value is None,
        json_schema_extra=lambda schema: schema.pop("default"),
        **constraints,
    )


TABLES = {"comparison.json", "comparison.tsv", "ablation.tsv"}
"""What lies beside the folders of methods."""


def _named(name):
    if not NAME.fullmatch(name) or name in TABLES:
        raise PydanticCustomError("name", "no name")
    return name


Name = Annotated[str, AfterValidator(_named)]
"""Of a feature set or method: it becomes a folder."""


def _with_kind(kind, value):
    return {"kind": kind, **value} if isinstance(value, dict) and "kind" not in value else value


def _kinds(description, *models):
    """Return the type of a mapping of one of several kinds; one that says none is of the first.

    The kind is filled in before anything is checked, so that a missing one hides no other error.
    """
    one = models[0] if len(models) == 1 else Annotated[Union[models], Field(discriminator="kind")]  # noqa: UP007
    default = models[0].model_fields["kind"].default
    return Annotated[one, Field(description=description), BeforeValidator(partial(_with_kind, default))]


class Tiling(Settings):
    """Where the patches are."""

    patch_size: int = Field(ge=1, description="A whole number of px from 1, the side of a patch.")
    overlap: _number(ge=0, lt=1) = _optional("A share of patch_size from 0 to below 1, by which neighbours overlap.")
    stride: int = _optional("A whole number of px from 1, from one patch to the next.", ge=1)
    edge: Literal["drop", "cover"] = Field(
        "drop",
        description="drop (patches that do not fit are left out) or cover (the grid goes on until every pixel is "
        "covered, with reflected pixels beyond the border).",
    )
    white_above: int | None = Field(
        None,
        ge=0,
        le=254,
        description="A whole number from 0 to 254 (a patch whose every pixel has R, G and B above it is discarded; the "
        "paper's is 200), or null to keep every patch.",
    )
    tissue: Literal["otsu"] | None = Field(
        None,
        description="otsu (patches with too little tissue are discarded too; tissue is told from glass, black padding "
        "and pen strokes by saturation at low resolution), or null to look for none.",
    )
    min_tissue: _number(ge=0, le=1) = Field(
        0.1,
        description="A share from 0 to 1, of a patch that has to be tissue with tissue: otsu; 0 takes any tissue.",
    )
    mpp: _number(gt=0) | None = Field(
        None,
        description="The resolution in micrometres a pixel at which sizes count, or null for level 0 of each slide.",
    )

    @property
    def stride_px(self) -> int:
        """From one patch to the next, in px: `stride`, or what `overlap` leaves of `patch_size`."""
        return self.stride or round(self.patch_size * (1 - self.overlap))


WHOLE = "whole"
"""In place of a tiling: the whole image is one patch."""


def _whole_or(value, check):
    return value if value == WHOLE else check(value)


def _or_whole(schema):
    """Let a field's JSON schema take the word beside the mapping."""
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"const": WHOLE, "type": "string"}]


TilingOrWhole = Annotated[Tiling, WrapValidator(_whole_or)]
"""No union: in errors pydantic would name its members on the way to a key."""


class FeatureSettings(Settings):
    """What feature sets of every kind have."""

    @property
    def is_whole(self) -> bool:
        """Whether the whole image is one patch, and its vectors lie in shards."""
        return getattr(self, "tiling", None) == WHOLE

    @property
    def outputs(self) -> list[str]:
        """The names of several outputs of one pass; none where there is one output."""
        encoder = getattr(self, "encoder", None)
        return list(encoder.outputs or ()) if encoder else []

    @property
    def trained_by(self) -> str:
        """The method of the study that trains its network, one a part; empty where its weights come from elsewhere."""
        encoder = getattr(self, "encoder", None)
        return trained_by(encoder.weights) if encoder else ""


class Stain(Settings):
    """Colours moved towards those of one slide or picture, slide by slide, before the network sees them."""

    method: Literal["reinhard", "macenko"] = Field(
        description="reinhard (mean and deviation of L*a*b* of the tissue) or macenko (two stains in optical density)."
    )
    target: str = Field(
        min_length=1,
        description="A slide's id, or the path of an image file: what the slides are made to look like. A training "
        "slide is best, scanned as the others are. A model that is handed on has a .json of its fit.",
    )


class HairRemoval(Settings):
    """Whether hair is drawn over, before anything else looks at the pixels."""

    hair_removal: bool = Field(
        False,
        description="true (dark hair is found and drawn over with the skin beside it, in images of dermatoscopes) or "
        "false.",
        exclude_if=lambda value: value is False,
    )


class StainNormalisation(Settings):
    """Whether colours are moved, before anything else looks at the pixels."""

    stain: Stain | None = Field(
        None,
        description="A mapping such as {method: reinhard, target: slide-1}, or null, which leaves colours as they are.",
        exclude_if=lambda value: value is None,
    )


class ImageFit(HairRemoval):
    """How an image becomes the square that a network sees, and what is done to it before."""

    fit: Literal["stretch", "pad"] = Field(
        "stretch",
        description="stretch (a whole image is resized to a square) or pad (it keeps its shape, and the square is "
        "filled up with the mean colour of ImageNet).",
    )


class ImageSteps(StainNormalisation, ImageFit):
    """What is done to pixels before the network sees them."""


class PatchSteps(StainNormalisation, HairRemoval):
    """What is done to pixels before patches are looked at without a network."""


class EncoderOutput(Settings):
    """One of several outputs of an encoder."""

    layer: str = Field(min_length=1, description="The name of a layer of the model, such as classifier.5.")
    map: Literal["average", "max"] = Field(
        "average", description="average or max: what becomes of a spatial map, the mean or the largest value."
    )


class ModelArgs(Settings):
    """How one of timm's networks differs from what its name stands for, by timm's own names of arguments.

    These are the arguments that the cards of published weights have. Others change what a network computes in ways
    that weights say nothing of.
    """

    img_size: int = _optional("A whole number of px from 1, the side of the images that it is built for.", ge=1)
    patch_size: int = _optional("A whole number of px from 1, the side of the squares that become tokens.", ge=1)
    embed_dim: int = _optional("A whole number from 1, the values of a token.", ge=1)
    depth: int = _optional("A whole number from 1, the blocks.", ge=1)
    num_heads: int = _optional("A whole number from 1, the heads of an attention.", ge=1)
    mlp_ratio: _number(gt=0) = _optional("A number above 0, the width of the layers between attentions.")
    mlp_layer: Literal["Mlp", "GluMlp", "SwiGLU", "SwiGLUPacked"] = _optional(
        "Mlp, GluMlp, SwiGLU or SwiGLUPacked: the layers between attentions."
    )
    act_layer: Literal["gelu", "gelu_tanh", "quick_gelu", "relu", "silu"] = _optional(
        "gelu, gelu_tanh, quick_gelu, relu or silu: what follows on a linear layer."
    )
    init_values: _number(gt=0) = _optional("A number above 0, such as 1.0e-5: there are layer scales.")
    reg_tokens: int = _optional("A whole number from 0, the register tokens.", ge=0)
    class_token: bool = _optional("true or false: whether there is a class token.")
    no_embed_class: bool = _optional("true or false: whether class and register tokens have no position.")
    dynamic_img_size: bool = _optional("true or false: whether it takes images of other sizes than img_size.")
    global_pool: Literal["", "token", "avg", "avgmax", "max", "map"] = _optional(
        "token, avg, avgmax, max, map or an empty text: how it pools what layer: pooled gives."
    )
    qkv_bias: bool = _optional("true or false: whether attentions have biases.")
    qk_norm: bool = _optional("true or false: whether attentions normalise queries and keys.")
    pre_norm: bool = _optional("true or false: whether there is a normalisation before the blocks.")
    final_norm: bool = _optional("true or false: whether there is a normalisation behind the blocks.")
    fc_norm: bool = _optional("true or false: whether it normalises behind its pooling, in place of before.")


AUTO = "auto"
"""In place of a number of patches: what a GPU holds."""

OWN = "own"
"""In place of an input size: that of the weights."""


def _size_or_own(value, check):
    return value if value == OWN else check(value)


def _or_own(schema):
    """Let a field's JSON schema take the word beside the number."""
    number = {key: schema.pop(key) for key in ("type", "minimum")}
    schema["anyOf"] = [number, {"const": OWN, "type": "string"}]


_Mean = Annotated[_number(ge=0, le=1), Field(description="A number from 0 to 1.")]
_Std = Annotated[_number(gt=0, le=1), Field(description="A number above 0 to 1.")]
_Scale = Annotated[_number(gt=0), Field(description="A number above 0.")]


class Encoder(Settings):
    """What turns a patch into a vector."""

    model: str = Field(
        min_length=1,
        description="The name of a torchvision classification model, such as alexnet, vgg19 or resnet50, "
        "overfeat-fast, arl-14, arl-50, resnet-14, senet-14 or ran-14, or timm/ with the name of one of timm's "
        "networks, such as timm/vit_small_patch14_dinov2.",
    )
    model_args: ModelArgs = _optional(
        "A mapping such as {reg_tokens: 8, init_values: 1.0e-5}: with timm/, arguments of the network that the card of "
        "its weights gives."
    )
    layer: str = _optional(
        "The name of a layer of the model, such as classifier.5; a spatial map is averaged. With timm/ also pooled "
        "(what the network makes of an image before its classifier), class (the class token), mean (of the tokens of "
        "places, without class and registers) or class+mean (both, one behind the other).",
        min_length=1,
    )
    map: Literal["average", "max", "places"] = _optional(
        "average, max, or places (every place of the map of a whole image is a vector of its own, of length 1, at all "
        "scales): what becomes of the spatial map of layer."
    )
    scales: list[_Scale] = _optional(
        "A list of numbers above 0, such as [0.5, 1, 2]: with map: places, how many times as large as input_size the "
        "network sees an image.",
        min_length=1,
    )
    outputs: dict[Name, EncoderOutput] = _optional(
        "A mapping such as {fc1: {layer: classifier.1}, block5-max: {layer: features.36, map: max}}, in place of "
        "layer: several outputs of one pass, which methods name as set/output.",
        min_length=1,
    )
    weights: str = Field(
        min_length=1,
        description="A torchvision weights name (IMAGENET1K_V1), the path of a state dict, random:SEED, or of whole "
        "images trained:METHOD (in each part the network that a method of kind: network trained on the part's training "
        "rows). With timm/ a tag of timm's (lvd142m), hf-hub:NAME of weights on Hugging Face's hub, a path, or "
        "random:SEED.",
    )
    weights_sha256: str = _optional(
        "64 hexadecimal digits, the digest of the weights in use: others are refused.", pattern=r"^[0-9a-f]{64}$(?!\n)"
    )
    mean: list[_Mean] = _optional(
        "A list of three numbers from 0 to 1, such as [0.485, 0.456, 0.406]: with timm/, by what R, G and B are "
        "normalised, in place of what timm knows of the weights; a file needs it, with std.",
        min_length=3,
        max_length=3,
    )
    std: list[_Std] = _optional(
        "A list of three numbers above 0 to 1, such as [0.229, 0.224, 0.225], as mean.", min_length=3, max_length=3
    )
    input_size: Annotated[int, Field(ge=1), WrapValidator(_size_or_own)] = Field(
        224,
        description="A whole number of px from 1, to which a patch is resized; above the own size of AlexNet, VGG and "
        "OverFeat their fully connected layers run as convolutions, and the map that they give is averaged. With timm/ "
        "it is own where it is left out: the size of the weights.",
        json_schema_extra=_or_own,
    )

    @model_validator(mode="before")
    @classmethod
    def _own_size(cls, value):
        if isinstance(value, dict) and is_timm(str(value.get("model", ""))):
            return {**value, "input_size": value.get("input_size", OWN)}
        return value

    @model_serializer(mode="wrap")
    def _size_said(self, serialised):
        """Keep the size of one of timm's networks, also where it is what others have by default."""
        said = serialised(self)
        return said | {"input_size": self.input_size} if is_timm(self.model) else said


class NetworkFeatures(FeatureSettings):
    """A feature set that slidecaf computes, by a network."""

    kind: Literal["network"] = Field("network", description="network (slidecaf computes the features).")
    tiling: TilingOrWhole = Field(
        description="A mapping such as {patch_size: 336, overlap: 0.25}, or whole: the whole image is one patch.",
        json_schema_extra=_or_whole,
    )
    encoder: Encoder = Field(
        description="A mapping such as {model: alexnet, layer: classifier.5, weights: IMAGENET1K_V1}."
    )
    extraction: Literal["patchwise", "dense"] = Field(
        "patchwise",
        description="patchwise (each patch goes through the network alone) or dense (the network runs once over the "
        "enlarged slide, and overlapping patches share its work).",
    )
    precision: Literal["fp32", "bf16", "fp16", "auto"] = Field(
        "fp32",
        description="fp32, bf16 (CPU and GPU) or fp16 (GPU only): the number format of the network's arithmetic; auto "
        "takes bf16 where a probe at the start shows it clearly faster than fp32.",
    )
    compile: bool = Field(
        False,
        description="true (torch.compile makes kernels for this network, on a GPU, in a minute or two a job) or false.",
        exclude_if=lambda value: not value,
    )
    store: Literal["all", "train"] = Field(
        "all",
        description="all (each slide has a features file) or train (test rows of the segmentation have none: the "
        "models judge patches as the network gives them).",
    )
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        32,
        description="A whole number from 1, the patches that go through the network together, or auto (as many as half "
        "of a GPU's free memory holds; 32 on a CPU).",
    )
    image: ImageSteps = Field(
        ImageSteps(),
        description="A mapping such as {fit: pad}, what is done to pixels before the network.",
        json_schema_extra=lambda schema: schema.pop("default"),  # which its keys say
    )
    shards: int = Field(
        16,
        ge=1,
        le=10_000,
        description="A whole number from 1 to 10000, the files that hold the vectors of whole images.",
    )


class ManualFeatures(FeatureSettings):
    """A feature set that slidecaf computes without a network: SIFT, local binary patterns and colours, 186 values."""

    kind: Literal["manual"] = Field(
        description="manual (SIFT, local binary patterns and a histogram of L*a*b* colours, with which the paper "
        "compares its features)."
    )
    tiling: Tiling = Field(description="A mapping such as {patch_size: 336, overlap: 0.25}.")
    extraction: Literal["patchwise", "dense"] = Field(
        "patchwise",
        description="patchwise (each patch is looked at alone) or dense (overlapping patches share their work).",
    )
    image: PatchSteps = Field(
        PatchSteps(),
        description="A mapping such as {stain: {method: reinhard, target: slide-1}}, what is done to pixels before.",
        json_schema_extra=lambda schema: schema.pop("default"),  # which its keys say
        exclude_if=lambda value: not value.model_fields_set,  # studies from before it are told as they were
    )


class ImportedFeatures(FeatureSettings):
    """A feature set that another program computed. `slidecaf import` writes it into a config."""

    kind: Literal["imported"] = Field(description="imported (another program computed the features).")
    format: Literal["trident", "clam"] = Field(description="trident or clam: the program whose files they are.")
    folder: str = Field(
        min_length=1,
        description="The path of the folder that holds a file a slide (trident), or h5_files (clam).",
    )
    patches: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="The path of the folder in which CLAM keeps coordinates, or null for patches beside h5_files.",
    )


def _no_old_form(value):
    """Say what to write instead of ``imported: {format: …}``, the form of 0.1.0."""
    if isinstance(value, dict) and "imported" in value and "kind" not in value:
        old = value["imported"] if isinstance(value["imported"], dict) else {}
        known = [key for key in ImportedFeatures.model_fields if key in old]
        shown = {"format": "trident", "folder": "path/features_uni_v1"} | {key: old[key] for key in known}
        instead = ", ".join(f"{key}: {'null' if value is None else value}" for key, value in shown.items())
        raise PydanticCustomError(
            "old_form",
            "this form is that of slidecaf 0.1.0; write {instead}.",
            {"instead": f"kind: imported, {instead}"},
        )
    return value


FeatureSet = Annotated[
    _kinds(
        "A mapping with tiling and encoder, or of kind: manual or imported.",
        NetworkFeatures,
        ManualFeatures,
        ImportedFeatures,
    ),
    BeforeValidator(_no_old_form),
]


_Norm = _number(ge=1) | Literal["inf"]
_NORM = "A number from 1 (1 is the mean, the paper's is 3), or inf (without a dot) for the maximum."
_Keep = Annotated[int, Field(ge=1)] | Literal["all"]
_KEEP = "A whole number from 1, the features kept by the selection, or all."


class ClassifierSettings(Settings):
    """What the settings of every kind of the classification can say; further kinds are models of this class.

    A kind has ``kind`` and ``features``, a list. One that reads pooled vectors has ``norm`` too, a list.
    """

    @property
    def way(self) -> str:
        """The entry of `slidecaf.study.kinds` that the settings ask for: the kind, unless it has several."""
        return self.kind

    @property
    def maps(self) -> bool:
        """Whether the places of its slides have values that can be drawn."""
        return False

    @property
    def shared_out(self) -> bool:
        """Whether its decision is a sum over a slide's patches, and so has a heat map."""
        return "heatmap" in self.about.shows

    @property
    def about(self) -> ClassificationKind:
        """What the workflow has to know of the kind."""
        return CLASSIFICATION_KINDS[self.way]

    @property
    def candidates(self) -> int:
        """How many combinations of settings are tried on folds inside the training rows."""
        return 1


def _listed_or_null(value):
    return [value] if value is None else _listed(value)


STORED = {"fv": "fisher", "ifv": "fisher", "ffv": "fisher", "bow": "bow", "vlad": "vlad"}
"""Kind of encoding to what is kept of an image in files: Fisher vectors of every kind come of the plain ones."""


class Fisher(Settings):
    """An image's local descriptors as one vector, by a Gaussian mixture of the training images' descriptors."""

    components: _candidates(Annotated[int, Field(ge=1, le=4096)], "A whole number from 1 to 4096.") = Field(
        [16],
        description="A list of whole numbers from 1 to 4096, the Gaussians of the mixture, such as [16, 64].",
    )
    kind: _candidates(
        Literal["fv", "ifv", "ffv", "bow", "vlad"],
        "fv (Fisher vector), ifv (improved), ffv (foreground), bow (bag of words) or vlad.",
    ) = Field(
        ["ifv"],
        description="A list of fv (Fisher vectors), ifv (improved: signed square roots), ffv (foreground: a weight a "
        "Gaussian, learned from the training images), bow (bag of words) and vlad, such as [fv, ifv, ffv].",
    )
    pca: Annotated[
        list[
            Annotated[
                Annotated[int, Field(ge=1)] | None,
                Field(description="A whole number from 1, the principal components of the descriptors, or null."),
            ]
        ],
        Field(min_length=1),
        BeforeValidator(_listed_or_null),
    ] = Field(
        [128],
        description="A list of whole numbers from 1, the principal components that are kept of the descriptors, or "
        "null, which keeps their values as they are, such as [null, 64].",
    )
    steps: int = Field(
        1,
        ge=1,
        le=1000,
        description="A whole number from 1 to 1000, the steps of expectation and maximisation at most: few keep the "
        "mixture from fitting single training images.",
    )

    @property
    def stored(self) -> list[str]:
        """What files keep of an image, each once."""
        return sorted({STORED[kind] for kind in self.kind})


class ClassificationSvm(ClassifierSettings):
    """Pooled features, selected, and a linear SVM on them."""

    kind: Literal["svm"] = Field("svm", description="svm (a linear SVM on pooled, selected features).")
    features: _candidates(str, "The name of a feature set, or set/output.") = Field(
        description="A list of feature sets."
    )
    norm: _candidates(_Norm, _NORM) = Field(
        [3], description="A list of pooling norms, numbers from 1 or inf, such as [3]."
    )
    keep: _candidates(_Keep, _KEEP) = Field(
        [100],
        description="A list of whole numbers from 1, the features kept by the selection, such as [100]; all keeps "
        "every feature.",
    )
    C: _candidates(_number(gt=0), "A number above 0.") = Field(
        [0.001, 0.01, 0.1, 1, 10, 100],
        description="A list of numbers above 0, the SVM's C, such as [0.01, 1, 100].",
    )
    scale: _candidates(Literal["none", "standard"], "none or standard.") = Field(
        ["none"],
        description="A list of none (features as they are) or standard (each by the training rows' mean and standard "
        "deviation), such as [none, standard].",
    )
    class_weight: _candidates(Literal["none", "balanced"], "none or balanced.") = Field(
        ["none"],
        description="A list of none (every slide counts alike) or balanced (every class does: a class's C is divided "
        "by its share of the training rows), such as [none, balanced].",
    )
    scheme: Literal["one-vs-one", "one-vs-rest"] = Field(
        "one-vs-one",
        description="one-vs-one (with more than two classes an SVM a pair, which vote) or one-vs-rest (an SVM a class "
        "against all others).",
    )
    choose_by: Literal["accuracy", "balanced_accuracy", "auc"] = Field(
        "accuracy",
        description="accuracy, balanced_accuracy (the mean share of hits over the classes) or auc: what the best "
        "candidate has most of, over the folds inside the training rows.",
    )
    max_iter: int = Field(
        1_000_000,
        ge=1,
        description="A whole number from 1, the SVM's iterations after which a candidate is dropped.",
    )
    fisher: Fisher | None = Field(
        None,
        description="A mapping such as {components: [64], kind: [fv, ifv, ffv], pca: [null, 64]}, which makes one "
        "vector of an image's places, or of a slide's patches, in place of norm; or null, which pools by norm.",
        exclude_if=lambda value: value is None,
    )

    @property
    def way(self) -> str:
        """The entry of `slidecaf.study.kinds`: Fisher vectors are learned and read otherwise than pooled ones."""
        return "fisher" if self.fisher else self.kind

    @property
    def maps(self) -> bool:
        """Foreground Fisher vectors have weights for it; with other candidates a choice may fall on one without."""
        return self.fisher is not None and self.fisher.kind == ["ffv"]

    @property
    def candidates(self) -> int:
        """How many combinations of its lists are tried on folds inside the training rows."""
        lists = prod(len(getattr(self, key)) for key in ("features", "norm", "keep", "C", "scale", "class_weight"))
        return lists * prod(len(value) for _, value in self.fisher or () if isinstance(value, list))


OneFeatureSet = Annotated[
    list[Annotated[str, Field(description="The name of a feature set, or set/output.")]],
    Field(min_length=1, max_length=1),
    BeforeValidator(_listed),
]
"""A list of one feature set, for kinds that do not choose among several; it may stand without brackets."""


class ClassificationMcil(ClassifierSettings):
    """Slides as bags of patches, of which boosted classifiers learn; positive patches in clusters. Two classes only."""

    kind: Literal["mcil"] = Field(
        description="mcil (multiple clustered instance learning: boosted Gaussian classifiers of patches, of which a "
        "slide is a bag)."
    )
    features: OneFeatureSet = Field(description="The name of a feature set of patches.")
    clusters: int = Field(4, ge=1, description="A whole number from 1, the clusters of positive patches.")
    rounds: int = Field(
        150, ge=1, description="A whole number from 1, the rounds of boosting; each adds a classifier to each cluster."
    )
    exponent: _number(gt=0) = Field(
        20,
        description="A number above 0, of the generalised mean over a slide's patches: 1 is the mean, large ones are "
        "nearly the maximum.",
    )
    threshold: Literal["inner"] | _number() = Field(
        "inner",
        description="The log odds from which on a slide is positive: a number (0 is a probability of one half), or "
        "inner: chosen by cross-validation inside the training slides.",
    )


class Augment(Settings):
    """How an image is changed anew for every epoch; the defaults are those that suit most images."""

    crop: _number(gt=0, le=1) = Field(
        0.8, description="A share above 0 to 1, of an image's area that is cut out at least; 1 cuts nothing."
    )
    stretch: _number(ge=0, le=3) = Field(
        0.1, description="A share from 0 to 3, by which the part cut out is stretched one way or the other at most."
    )
    rotate: _number(ge=0, le=180) = Field(15, description="Degrees from 0 to 180, by which it is turned at most.")
    translate: _number(ge=0, le=1) = Field(
        0.05, description="A share from 0 to 1, of its side by which it is moved at most."
    )
    shear: _number(ge=0, le=60) = Field(5, description="Degrees from 0 to 60, by which it is sheared at most.")
    flip: Literal["none", "horizontal", "both"] = Field(
        "horizontal", description="none, horizontal (left and right change places in half the cases) or both."
    )
    quarter_turns: bool = Field(False, description="true (it is turned by 0, 90, 180 or 270 degrees) or false.")


NO_AUGMENTATION = Augment(crop=1, stretch=0, rotate=0, translate=0, shear=0, flip="none")
"""What null stands for."""


TRANSFORMERS = ("vit_", "swin_", "maxvit_")
"""How torchvision's names of them begin."""


ATTENDING = ("arl-14", "arl-50", "ran-14")
"""Architectures that weight places by attention."""


class ClassificationNetwork(ClassifierSettings):
    """A network trained here on whole images or on patches of slides, by each part on its own training rows."""

    kind: Literal["network"] = Field(
        description="network (a convolutional network trained on the training images, whole or patch by patch)."
    )
    patches_of: str | None = Field(
        None,
        description="The name of a feature set on whose patches the network learns and decides (it reads no features "
        "of it), or null: images whole.",
    )
    patches_per_slide: int = Field(
        64,
        ge=1,
        description="A whole number from 1, how many patches of a slide an epoch sees at most, drawn anew each time; "
        "of patches_of.",
    )
    architecture: str = Field(
        "custom-cnn",
        min_length=1,
        description="custom-cnn (ten convolutions and two dense layers, for images of 128 px), arl-14 or arl-50 "
        "(attention residual learning, with 14 or 50 layers), resnet-14, senet-14 (squeezed by 16, so that it has "
        "8,720,434 values with two classes) or ran-14 (which it is compared with), or the name of a torchvision "
        "classification model, such as mobilenet_v2 or resnet50.",
    )
    weights: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="The values that training begins with: a torchvision weights name (IMAGENET1K_V1; of arl-50 "
        "resnet50's), the path of a state dict, or null (drawn by the seed).",
    )
    tuned_blocks: int | None = Field(
        None,
        ge=0,
        description="A whole number from 0, the last blocks of the network that learn beside its output, or null: all.",
    )
    head: Literal["own", "gap"] = Field(
        "own",
        description="own (what the network has behind its convolutions) or gap (in its place a convolution of 1,024 "
        "channels, its mean over places, dropout and a linear layer, as in VGG-GAP, so that class activation maps are "
        "exact).",
    )
    input_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="A whole number of px from 1, to which an image is resized, or null: 128 for custom-cnn, else 224.",
    )
    grey: bool = Field(False, description="true (custom-cnn sees grey images) or false (images in colour).")
    image: ImageFit = Field(
        ImageFit(),
        description="A mapping such as {fit: pad, hair_removal: true}, how an image becomes a square, and what is done "
        "to it before.",
        json_schema_extra=lambda schema: schema.pop("default"),  # which its keys say
    )
    augment: Augment | None = Field(
        Augment(),
        description="A mapping such as {rotate: 15, flip: both}, how an image is changed anew for every epoch, or "
        "null: not at all.",
        json_schema_extra=lambda schema: schema.pop("default"),  # which its keys say
    )
    class_weight: Literal["none", "balanced"] = Field(
        "balanced", description="none (every image counts alike) or balanced (every class does)."
    )
    optimiser: Literal["adamw", "sgd"] = Field("adamw", description="adamw, or sgd (with a momentum of 0.9).")
    learning_rate: _candidates(_number(gt=0), "A number above 0.") = Field(
        [0.001],
        description="A list of numbers above 0, the learning rate at the beginning, such as [0.001, 0.0001].",
    )
    schedule: Literal["cosine", "step", "constant"] = Field(
        "cosine",
        description="cosine (the learning rate falls to 0 over the epochs), step (to a tenth after every third of "
        "them) or constant.",
    )
    weight_decay: _number(ge=0) = Field(0.0001, description="A number from 0, the decay of weights.")
    epochs: int = Field(
        60, ge=1, description="A whole number from 1, how many times at most the network learns from every image."
    )
    patience: int = Field(
        15,
        ge=1,
        description="A whole number from 1, the epochs without a smaller loss on the images held back after which "
        "training ends.",
    )
    validation: int = Field(
        5,
        ge=2,
        description="A whole number from 2: one of so many parts of the training rows is held back, and chooses the "
        "epoch and the learning rate.",
    )
    batch_size: int = Field(
        32, ge=2, description="A whole number from 2, the images that the network learns from together."
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="fp32 or bf16: the number format of the network's arithmetic."
    )
    features: ClassVar[list] = []
    stages: ClassVar[int] = 1

    @property
    def attends(self) -> bool:
        """Whether the network has attention, which can be drawn."""
        return self.architecture in ATTENDING

    @property
    def maps(self) -> bool:
        """Whether it has a map of places: of whole images, and not of transformers, whose means something else."""
        return not self.patches_of and not self.architecture.startswith(TRANSFORMERS)

    @property
    def shared_out(self) -> bool:
        """Whether it has a heat map: of patches, whose mean probabilities decide."""
        return bool(self.patches_of)

    @property
    def candidates(self) -> int:
        """How many learning rates are tried."""
        return len(self.learning_rate)


class ClassificationTwoStage(ClassificationNetwork):
    """A network trained on whole images, and once more on what its class activation maps show of them."""

    kind: Literal["cam-two-stage"] = Field(
        description="cam-two-stage (a network trained on whole images, and once more on what the class activation map "
        "of the class that it predicts shows of them)."
    )
    architecture: str = Field(
        "vgg16",
        min_length=1,
        description="The name of a torchvision classification model, such as vgg16 or mobilenet_v2, or custom-cnn.",
    )
    head: Literal["own", "gap"] = Field(
        "gap",
        description="gap (a convolution of 1,024 channels, its mean over places, dropout and a linear layer behind the "
        "network's convolutions, as in VGG-GAP, so that class activation maps are exact) or own (what the network has "
        "there; where that is no mean over places, Grad-CAM takes the place of the map).",
    )
    augment: Augment | None = Field(
        Augment(crop=0.8, stretch=0, rotate=0, translate=0, shear=0, flip="horizontal", quarter_turns=True),
        description="A mapping such as {rotate: 15, flip: both}, how an image is changed anew for every epoch, or "
        "null: not at all. Left out: cut out, mirrored, and turned by quarters.",
        json_schema_extra=lambda schema: schema.pop("default"),  # which its keys say
    )
    threshold: _number(gt=0, lt=1) = Field(
        0.2,
        description="A number above 0 and below 1, the share of the map's largest value from which on a place belongs "
        "to what is cut out.",
    )
    decides: Literal["both", "second"] = Field(
        "both", description="both (the mean of both stages' probabilities) or second (those of the second stage)."
    )
    stages: ClassVar[int] = 2


ClassificationMethod = _kinds(
    "A mapping with features and what the kind has beside it; of kind svm, if wished, norm or fisher, keep, C and "
    "max_iter.",
    ClassificationSvm,
    ClassificationMcil,
    ClassificationNetwork,
    ClassificationTwoStage,
)


def classification_method(settings) -> ClassifierSettings:
    """Return the settings of a method from plain keys and values.

    Parameters
    ----------
    settings : dict
        As in the config, or as `Settings.given` has them.

    Returns
    -------
    ClassifierSettings
    """
    return TypeAdapter(ClassificationMethod).validate_python(settings)


def _as_label(value):
    """Take a whole number for the label that is written so."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value):
    """Return a number without the fraction that it does not have, so that 3 and 3.0 have one name."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Ablation(Settings):
    """One setting of a method varied at a time, by the methods' own folds."""

    method: str = Field(description="The name of a method of kind svm, whose settings are varied.")
    norm: _candidates(_Norm, _NORM) = _optional("A list of pooling norms, such as [1, 2, 3, 5, inf].", min_length=1)
    keep: _candidates(_Keep, _KEEP) = _optional(
        "A list of whole numbers from 1 or all, such as [25, 50, 100, 200, all].", min_length=1
    )
    features: _candidates(str, "The name of a feature set, or set/output.") = _optional(
        "A list of feature sets, which may differ in patch size, network or layer.", min_length=1
    )

    def settings(self) -> dict[str, tuple]:
        """Return what is tried, by a name that a file can have.

        Returns
        -------
        dict of str to (str, object)
            Such as ``norm-3`` to ("norm", 3), in the order of the config.
        """
        factors = {key: getattr(self, key) or [] for key in ("norm", "keep", "features")}
        tried = [(factor, value) for factor, values in factors.items() for value in values]
        return {f"{factor}-{_whole(value)}".replace("/", "-"): (factor, value) for factor, value in tried}


class Classification(Settings):
    """The classification task."""

    sheet: str = Field(
        min_length=1,
        description="The path of the sheet (TSV or CSV) with columns slide (or image), path, label, patient, split.",
    )
    positive: Annotated[str | None, BeforeValidator(_as_label)] = Field(
        None,
        description="The label that a positive confidence stands for, in quotes where YAML would read a number or "
        "true; needed with two classes, and for these only.",
    )
    group_name: str = Field(
        "patient",
        min_length=1,
        description="What the sheet's patient column holds, as reports call it (patient, block, site).",
    )
    item_name: str = Field(
        "slide", min_length=1, description="What one row of the sheet is, as reports call it (slide, image)."
    )
    label_depth: int | None = Field(
        None,
        ge=1,
        description="A whole number from 1, the parts that are kept of labels that are hierarchical codes with - "
        "between their parts (2 makes 1121-127 of 1121-127-700-500), or null, which keeps labels as they are.",
    )
    min_images: int | None = Field(
        None,
        ge=1,
        description="A whole number from 1, the rows that a class has to have in the sheet, of training and test "
        "together; a class with fewer is left out, listed and counted nowhere. Null keeps every class.",
    )
    folds: int = Field(3, ge=2, description="A whole number from 2, the folds of the cross-validation.")
    inner_folds: int = Field(
        3,
        ge=2,
        description="A whole number from 2, the folds inside the training rows that choose among candidates.",
    )
    sensitivity: _number(gt=0, le=1) | None = Field(
        None,
        description="A number above 0 and up to 1, the share of positive slides to be found: the confidence from which "
        "on that is so inside the training rows is each part's operating point, reported on its left-out rows. Two "
        "classes only. Null reports none.",
    )
    methods: dict[Name, ClassificationMethod] = Field(
        min_length=1, description="At least one method, a name with its candidates."
    )
    ablation: Ablation | None = Field(
        None,
        description="A mapping such as {method: svm-cnn, norm: [1, 2, 3, 5, inf], keep: [25, 50, 100, 200, all]}, each "
        "value of which is tried in place of the method's own, or null, which varies nothing.",
        exclude_if=lambda value: value is None,
    )

    @property
    def feature_sets(self) -> list[str]:
        """The feature sets that methods name, or an ablation tries; each once."""
        return list(dict.fromkeys([*_feature_sets(self.methods), *self._tried]))

    @property
    def pooled_sets(self) -> list[str]:
        """Those of which a method, or an ablation, reads one vector a slide."""
        pooled = {name: method for name, method in self.methods.items() if method.about.reads == "pooled"}
        return list(dict.fromkeys([*_feature_sets(pooled), *self._tried]))

    @property
    def patch_sets(self) -> list[str]:
        """Those of whose patches methods read the pixels; each once."""
        return list(dict.fromkeys(name for method in self.methods.values() for name in patch_sets(method)))

    @property
    def _tried(self):
        return sets_of((self.ablation.features if self.ablation else None) or [])


def patch_sets(method: Settings) -> list[str]:
    """Return the feature sets of whose patches a method reads the pixels.

    Parameters
    ----------
    method : Settings
        Of any kind.

    Returns
    -------
    list of str
        One, or none.
    """
    named = getattr(method, "patches_of", None)
    return [named] if named else []


def feature_sets(method: Settings) -> list[str]:
    """Return the feature sets that a method reads.

    Parameters
    ----------
    method : Settings
        Of any kind.

    Returns
    -------
    list of str
        Each once, whatever outputs of it are named; empty for a kind that reads none.
    """
    named = getattr(method, "features", None) or []
    return sets_of([named] if isinstance(named, str) else named)


def explained(methods: Mapping[str, Settings], whole: Collection[str]) -> list[str]:
    """Return the methods of the classification whose decisions are shared out among patches.

    Parameters
    ----------
    methods : mapping of str to Settings
    whole : collection of str
        The feature sets that take whole slides, which have no patches.

    Returns
    -------
    list of str
        Those whose decision is a sum over patches, and none of whose candidates takes whole slides.
    """
    return [name for name, method in methods.items() if method.shared_out and not {*feature_sets(method)} & {*whole}]


def _feature_sets(methods):
    return list(dict.fromkeys(name for method in methods.values() for name in feature_sets(method)))


class HardExamples(Settings):
    """Retraining with the patches that left-out maps got wrong."""

    copies: int = Field(1, ge=1, description="A whole number from 1, how many more times a hard example counts.")
    stride: int = Field(
        32,
        ge=1,
        description="A whole number of px, a multiple of the tiling's stride, from one patch that may be a hard "
        "example to the next.",
    )
    max_share: _number(gt=0, le=1) = Field(
        0.5, description="A share above 0 to 1, of the training rows that hard examples may add."
    )


_Px = Annotated[int, Field(ge=0)]


class SegmentationSvm(Settings):
    """A linear SVM on the features of patches, its map, a threshold and post-processing."""

    kind: Literal["svm"] = Field("svm", description="svm (a linear SVM on patches).")
    features: str = Field(description="The name of a feature set.")
    training_stride: int = Field(
        32,
        ge=1,
        description="A whole number of px, a multiple of the tiling's stride, from one patch to learn from to the "
        "next.",
    )
    inner_folds: int = Field(
        5,
        ge=2,
        description="A whole number from 2, the folds of the other patients whose inner maps choose C, threshold and "
        "sizes.",
    )
    C: _candidates(_number(gt=0), "A number above 0.") = Field(
        [0.0001, 0.001, 0.01, 0.1],
        description="A list of numbers above 0, the SVM's C, such as [0.001, 0.01].",
    )
    context: _candidates(Literal["none", "slide"], "none or slide.") = Field(
        ["none"],
        description="A list of none (a patch's vector as it is) or slide (beside itself standardised within its own "
        "slide, twice the values, which stains of slides change less), such as [none, slide].",
        exclude_if=lambda value: value == ["none"],
    )
    smooth: _candidates(_number(ge=0), "A number from 0, the sigma of a Gaussian in px; 0 does not smooth.") = Field(
        [0],
        description="A list of numbers from 0, the sigma in px by which the map is smoothed, such as [0, 16].",
    )
    min_object: _candidates(_Px, "A whole number of px from 0.") = Field(
        [1000],
        description="A list of whole numbers of px from 0, below which an object is removed, such as [1000].",
    )
    max_hole: _candidates(_Px, "A whole number of px from 0.") = Field(
        [10000],
        description="A list of whole numbers of px from 0, up to which a hole is filled, such as [10000].",
    )
    hard_examples: HardExamples | None = Field(
        None,
        description="A mapping such as {copies: 1, stride: 32, max_share: 0.5}, or null, which leaves retraining out.",
    )
    max_iter: int = Field(
        1000, ge=1, description="A whole number from 1, the steps after which an SVM's solver gives up."
    )
    solver: Literal["numpy", "torch"] = Field(
        "numpy",
        description="numpy (SVMs are fitted on the CPU) or torch (on a GPU where there is one; their last digits "
        "differ).",
        exclude_if=lambda value: value == "numpy",
    )


class GraphRlm(Settings):
    """GraphRLM: circles in three stains, a graph on them, regions of like texture; no features and no network."""

    kind: Literal["graph-rlm"] = Field(
        description="graph-rlm (unsupervised regions by graph run-length matrices, with which the paper compares its "
        "method; they are labelled by best match on the training slides)."
    )
    r_min: int = Field(8, ge=1, description="A whole number of px from 1, the smallest radius of a circle.")
    r_strel: int = Field(
        2, ge=0, le=100, description="A whole number of px from 0, the radius by which specks are closed and opened."
    )
    win_size: int = Field(96, ge=1, description="A whole number of px from 1, the side of the window around a circle.")
    dist_thr: _candidates(_number(gt=0), "A number above 0, a distance of features.") = Field(
        [1.25],
        description="A list of numbers above 0, the distance of features from which neighbours are told apart, such as "
        "[1.25].",
    )
    comp_thr: _candidates(Annotated[int, Field(ge=1)], "A whole number of circles from 1.") = Field(
        [100],
        description="A list of whole numbers from 1, the circles from which a seed of a region is made, such as [100].",
    )
    clusters: _candidates(Annotated[int, Field(ge=1)], "A whole number from 1, the groups of regions.") = Field(
        [2, 4, 8, 16],
        description="A list of whole numbers from 1, the groups that the training slides' regions are sorted into, "
        "such as [2, 4, 8].",
    )
    inner_folds: int = Field(
        5,
        ge=2,
        description="A whole number from 2, the folds of the other patients whose inner maps choose among candidates, "
        "threshold and sizes.",
    )
    min_object: _candidates(_Px, "A whole number of px from 0.") = Field(
        [1000],
        description="A list of whole numbers of px from 0, below which an object is removed, such as [1000].",
    )
    max_hole: _candidates(_Px, "A whole number of px from 0.") = Field(
        [10000],
        description="A list of whole numbers of px from 0, up to which a hole is filled, such as [10000].",
    )
    features: ClassVar[None] = None
    hard_examples: ClassVar[None] = None
    smooth: ClassVar[list] = [0]  # a region's map is constant on it


SegmentationMethod = _kinds(
    "A mapping with features and, if wished, training_stride, inner_folds, C, context, smooth, min_object, max_hole, "
    "hard_examples and max_iter; or of kind: graph-rlm.",
    SegmentationSvm,
    GraphRlm,
)


class Segmentation(Settings):
    """The segmentation task."""

    sheet: str = Field(
        min_length=1,
        description="The path of the sheet (TSV or CSV) with columns slide, path, mask, patient, split.",
    )
    mask_value: int | None = Field(
        None,
        ge=0,
        description="The value that stands for necrosis in masks of more than two values, or null, which takes every "
        "value but 0. Of a palette it is the index; of a file whose 0 is white it is the value turned round (255 is "
        "white).",
    )
    mask_channel: Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="The name of the channel that is meant, or its number from 0, where masks are TIFF files of "
        "several channels or pages, or null where they have one.",
    )
    mask_class: (
        Annotated[
            list[Annotated[str, Field(min_length=1, description="The name of a class.")]],
            Field(min_length=1),
            BeforeValidator(_listed),
        ]
        | None
    ) = Field(
        None,
        description="A list of the classes of annotations that are necrosis, such as [Necrosis], where masks are "
        "GeoJSON files, or null where these have one class.",
        exclude_if=lambda value: value is None,
    )
    group_name: str = Field(
        "patient",
        min_length=1,
        description="What the sheet's patient column holds, as reports call it (patient, block, site).",
    )
    folds: int | None = Field(
        None,
        ge=2,
        description="A whole number from 2, the groups of patients that are left out in turn, or null to leave out "
        "each patient alone.",
    )
    outline_tolerance: _number(ge=0) = Field(
        8,
        description="A number of px from 0, by which the outlines for QuPath may leave the mask's edge to have fewer "
        "corners; 0 follows every step.",
    )
    methods: dict[Name, SegmentationMethod] = Field(
        min_length=1, description="At least one method, a name with its settings."
    )

    @property
    def feature_sets(self) -> list[str]:
        """The feature sets that methods name; each once."""
        return _feature_sets(self.methods)


SLIDES_PER_JOB, IMAGES_PER_JOB = 16, 1000
"""What a job's start is a small part of: slides read patch by patch, and images read whole."""

IMAGE_MINUTES = 0.1
"""What an image taken whole takes at most of a job that makes a picture of it, where a slide takes a minute."""


class Config(Settings):
    """A study: what is computed, from which sheets, and where it goes."""

    model_config = ConfigDict(title="A slidecaf study")

    title: str = Field(
        "",
        max_length=200,
        description="A line of text that says what the study is; it heads the report.",
    )
    results: str = Field(
        "results",
        pattern=r"^(?![~/-])(?!\.?/*$)(?!([^/]*/)*\.\.(/|$))[^{}\x00-\x1f\x7f-\x9f]+$(?!\n)",
        description="A folder inside the study for everything that is computed, relative to it, without .., braces or "
        "a leading ~ or -; for another disk make it a link.",
    )
    model: str | None = Field(
        None,
        pattern=r"^(?![~/-])(?!\.?/*$)(?!([^/]*/)*\.\.(/|$))[^{}\x00-\x1f\x7f-\x9f]+$(?!\n)",
        description="The folder of a model that slidecaf predict unpacked, inside the study: nothing is learned, and "
        "the model decides on the sheets' slides. Null: the study learns its own.",
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**32 - 1,
        description="A whole number from 0 to 4294967295; it draws the folds and the bootstrap samples.",
    )
    threads: int = Field(
        2,
        ge=1,
        description="A whole number from 1, the threads of one extraction. Results do not depend on it.",
    )
    memory: _number(gt=0) = Field(
        8,
        description="A number above 0, the GiB that fitting SVMs may take: rows of patches beyond half of it are read "
        "from a scratch file, again and again, and slides whose inner products take more are refused. Results do not "
        "depend on it.",
    )
    slides_per_job: int | None = Field(
        None,
        ge=1,
        description="A whole number from 1, the slides that share a job, whose start takes seconds; a job of many "
        "small slides is mostly work. Null: 16, or 1000 where every feature set is of whole images. Results do not "
        "depend on it.",
    )
    on_bad_slide: Literal["fail", "exclude"] = Field(
        "fail",
        description="fail (the run ends with an error after the other slides are done) or exclude (the slide is left "
        "out, listed and counted as wrong).",
    )
    on_copies: Literal["fail", "exclude"] = Field(
        "fail",
        description="fail (one slide twice across patients, splits or labels is an error) or exclude (copies are left "
        "out of the classification, listed and counted nowhere).",
    )
    max_unreadable: _number(ge=0, le=1) = Field(
        0.01,
        description="A share from 0 to 1, of a slide's patches that may be unreadable before the slide counts as bad.",
    )
    max_megapixels: _number(gt=0, le=10**9) = Field(
        100_000,
        description="A number above 0, the million pixels that a slide may say it has; a larger one counts as bad.",
    )
    max_decoded_megapixels: _number(gt=0, le=10**6) = Field(
        500,
        description="A number above 0, the million pixels that may have to be decoded at once: of a whole PNG or JPEG "
        "file, a tile or a strip; some 4 to 16 bytes of memory each.",
    )
    features: dict[Name, FeatureSet] = Field(
        description="Feature sets, each a name with its tiling and encoder; {} where no method reads any."
    )
    classification: Classification = _optional("The classification task; leave it out and it is not run.")
    segmentation: Segmentation = _optional("The segmentation task; leave it out and it is not run.")

    def tasks(self) -> dict:
        """Return the tasks that the study has, by name."""
        return {task: getattr(self, task) for task in TASKS if getattr(self, task)}

    def methods(self, task) -> dict:
        """Return the methods of a task, by name; none where the study does not have the task."""
        return getattr(self, task).methods if getattr(self, task) else {}

    def feature_sets_of(self, task) -> list:
        """Return the feature sets that a task needs, each once; none where the study does not have the task."""
        return getattr(self, task).feature_sets if getattr(self, task) else []

    @property
    def explained(self) -> list[str]:
        """The methods of the classification that have a heat map of each decision."""
        return explained(self.methods("classification"), [name for name, one in self.features.items() if one.is_whole])

    @property
    def batch_size(self) -> int:
        """The most slides that share a job: `slides_per_job`, or what suits slides, or images taken whole."""
        if self.slides_per_job is not None:
            return self.slides_per_job
        return IMAGES_PER_JOB if self._takes_images else SLIDES_PER_JOB

    @property
    def batch_minutes(self) -> float:
        """What a job takes at most to open each slide of a batch once, in minutes."""
        return self.batch_size * (IMAGE_MINUTES if self._takes_images else 1)

    @property
    def _takes_images(self):
        """Whether every feature set is of whole images."""
        return (self.features or not self.segmentation) and all(one.is_whole for one in self.features.values())


def load_config(path) -> Config:
    """Read a config file and check it.

    Parameters
    ----------
    path : path-like
        As for `slidecaf.study.config_file.read_config`.

    Returns
    -------
    Config

    Raises
    ------
    SlidecafError
        If the file is not YAML.
    InputErrors
        If the config is not valid.
    """
    return check_config(read_config(path), source=path, folder=Path(path).parent)


def check_config(config, *, source="config.yaml", folder=".") -> Config:
    """Hold a config against the models, and its keys against each other.

    Parameters
    ----------
    config : dict
        As read from YAML; it is not changed.
    source : str, optional
        The file's name in errors.
    folder : path-like, optional
        Where relative paths of weights start.

    Returns
    -------
    Config
        With every default filled in and single candidates made lists.

    Raises
    ------
    InputErrors
        With every problem found.
    """
    if not isinstance(config, dict):
        raise InputErrors(source, [f"the file holds {type(config).__name__}, not keys with values."])
    try:
        checked, problems = Config.model_validate(config), []
        parts = checked.features, {task: settings.methods for task, settings in checked.tasks().items()}
    except ValidationError as error:
        checked, problems = None, explain(error, Config.model_json_schema())
        parts = _parts_that_parse(config)
    problems += check_parts(*parts, names=config.get("features"), folder=Path(folder))
    if checked and checked.classification and checked.classification.ablation:
        problems += check_ablation(checked.classification.ablation, checked.classification.methods, checked.features)
    if checked and (task := checked.classification) and task.sensitivity is not None and task.positive is None:
        problems.append(
            f"classification.sensitivity: {task.sensitivity:g} is a share of the positive slides, and positive is "
            "null; write the label that is positive, or null here."
        )
    if problems:
        raise InputErrors(source, problems)
    return checked


def _parts_that_parse(config):
    """Return the feature sets, and the methods of each task, that are right by themselves."""
    methods = {
        task: _that_parse(config[task].get("methods"), type_)
        for task, type_ in (("classification", ClassificationMethod), ("segmentation", SegmentationMethod))
        if isinstance(config.get(task), dict)
    }
    return _that_parse(config.get("features"), FeatureSet), methods


def _that_parse(named, type_):
    adapter, parsed = TypeAdapter(type_), {}
    for name, settings in named.items() if isinstance(named, dict) else ():
        try:
            parsed[name] = adapter.validate_python(settings)
        except ValidationError:  # is among the errors of the whole
            continue
    return parsed


def json_schema() -> dict:
    """Return the JSON schema of a config, for editors; ``config.schema.json`` holds it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
