"""Images and volumes, with masks of classes or objects, or images of quantities, to learn from."""

from multiunet.domains.image.config import ImageEvaluate, ImageMeasure, ImagePredict, ImageTrain
from multiunet.domains.image.config.sample import ImageSample
from multiunet.domains.spec import DomainSpec

SPEC = DomainSpec(
    name="image",
    summary="images and volumes (PNG, TIFF, NIfTI, HDF5, Zarr ...): classes, objects or quantities, pixel by pixel",
    train=ImageTrain,
    predict=ImagePredict,
    implementation="multiunet.domains.image.domain:ImageDomain",
    evaluate=ImageEvaluate,
    sample=ImageSample,
    measure=ImageMeasure,
    measured=("segmentation", "regression"),
    plans=True,
    groups="images",
)
