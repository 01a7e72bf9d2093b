"""Random views of an image and its labels: one transform and one resampling, in 1 to 3 dimensions.

Every view is a map of output sites to input coordinates, ``x = centre + matrix (i - middle) + bend(i)``: flips and
rotation and scaling are the matrix, the patch is the centre, elastic deformation is the bend. The image is interpolated
once, however many of them apply, and not at all where all coordinates fall on sites.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from multiunet.domains.image.files.lazy import Pixels

Floats = NDArray[np.float32]

ANISOTROPIC = 3.0
"""Axes whose spacings differ by more than this are not mixed (the threshold of nnU-Net, Isensee et al. 2021)."""


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random views and changes of intensity; each kind is drawn for itself, ``none()`` has none.

    Attributes:
        flip: mirror each axis with probability 1/2, and turn the last two axes by a quarter with probability 1/2.
        resample: turn by any angle, scale and bend, by interpolation, which changes noise and sharpness.
        chance: probability of each of rotation, scaling and elastic deformation, and of each change of intensity.
        rotation: largest angle in the plane of the last two axes, degrees.
        tilt: largest angle out of that plane, degrees; volumes only, and only where spacings are alike.
        scaling: largest relative change of size, either way.
        elastic: standard deviation of the displacements of control points, as a share of their distance.
        brightness: largest shift; ``noise``: largest standard deviation; both in standard deviations of the
            ``Intensities``.
        contrast: largest relative change of contrast, either way; ``gamma``: of the exponent, likewise.
        blur: largest standard deviation of Gaussian blur, in sites.
    """

    flip: bool = True
    resample: bool = True
    chance: float = 0.25
    rotation: float = 180.0
    tilt: float = 30.0
    scaling: float = 0.25
    elastic: float = 0.1
    brightness: float = 0.3
    contrast: float = 0.3
    gamma: float = 0.3
    noise: float = 0.2
    blur: float = 1.0

    @classmethod
    def none(cls) -> Augmentation:
        """Return the augmentation of plain crops."""
        return replace(cls(), flip=False, chance=0.0)


@dataclass(frozen=True)
class View:
    """Map of output sites to input coordinates.

    Attributes:
        centre: input coordinates of the output's middle, one an axis.
        matrix: output offset to input offset, both in sites; ``(ndim, ndim)``.
        bend: displacements of control points in sites, ``(ndim, *control)``, with three more control points than cells
            on each axis; None: straight.
    """

    centre: NDArray[np.float64]
    matrix: NDArray[np.float64]
    bend: NDArray[np.float64] | None = None

    def coordinates(self, shape: Sequence[int]) -> Floats:
        """Return the input coordinates of every output site, ``(ndim, *shape)``."""
        offsets = [np.arange(n) - (n - 1) / 2 for n in shape]
        result = np.empty((len(shape), *shape), dtype=np.float32)
        for i, (row, origin) in enumerate(zip(self.matrix, self.centre)):
            # float64 until the sum: whole coordinates must come out whole
            terms = [_along(entry * offset, j, len(shape)) for j, (entry, offset) in enumerate(zip(row, offsets))]
            result[i] = sum(terms[1:], origin + terms[0])
        return result if self.bend is None else result + smooth_field(self.bend, shape)

    def magnification(self, shape: Sequence[int]) -> Floats:
        """Return how many input sites each output site covers, ``shape`` or one number: the map's determinant.

        With it, a density keeps its sum: what is a site of the output is so much of the input.
        """
        if self.bend is None:
            return np.asarray(abs(np.linalg.det(self.matrix)), dtype=np.float32)
        bend = smooth_field(self.bend, shape)
        slopes = [np.gradient(bend, axis=axis) if n > 1 else np.zeros_like(bend) for axis, n in enumerate(shape, 1)]
        jacobian = np.moveaxis(np.stack(slopes, axis=1), (0, 1), (-2, -1)) + self.matrix
        magnified: Floats = np.abs(np.linalg.det(jacobian)).astype(np.float32)
        return magnified


def draw_view(
    augmentation: Augmentation,
    centre: Sequence[float],
    shape: Sequence[int],
    spacing: Sequence[float],
    rng: np.random.Generator,
) -> View:
    """Draw a random view of ``shape`` sites about ``centre`` (input coordinates).

    Args:
        spacing: distance of neighbouring sites by axis, in any unit: rotations are rotations in space, not in sites.
    """
    ndim = len(centre)
    alike = max(spacing) <= ANISOTROPIC * min(spacing)
    matrix = _orientation(augmentation, spacing, rng) if augmentation.flip else np.eye(ndim)
    if not augmentation.resample:
        return View(np.asarray(centre, dtype=np.float64), matrix)
    if ndim > 1 and rng.random() < augmentation.chance:
        to_space = np.diag(np.asarray(spacing, dtype=np.float64))
        matrix = np.linalg.inv(to_space) @ _rotation(augmentation, ndim, alike, rng) @ to_space @ matrix
    if rng.random() < augmentation.chance:
        matrix = matrix * _factor(augmentation.scaling, rng)
    bend = None
    if rng.random() < augmentation.chance and augmentation.elastic > 0:
        bend = _bend(augmentation.elastic, shape, alike, rng)
    return View(np.asarray(centre, dtype=np.float64), matrix, bend)


def mirror(coordinates: Floats, space: Sequence[int]) -> Floats:
    """Fold coordinates ``(ndim, *shape)`` into an image; its border is not repeated, as in prediction."""
    return np.stack([_fold(x, n) for x, n in zip(coordinates, space)])


def sample(pixels: Pixels, coordinates: Floats) -> Floats:
    """Interpolate ``pixels`` ``(C, *space)`` linearly at ``coordinates`` ``(ndim, *shape)`` inside it."""
    window, local = _window(pixels, coordinates, channels=1)
    on_sites = _sites(local)
    if on_sites is not None:
        return np.stack([channel[on_sites] for channel in window]).astype(np.float32)
    return _linear(window.astype(np.float32), local)


def sample_labels(labels: Pixels, coordinates: Floats) -> np.ndarray:
    """Return for each of ``coordinates`` the label with the largest share of the sites around it.

    The shares are the weights of linear interpolation, so an outline lies where that of an interpolated image does;
    the nearest label would put it up to half a site off.
    """
    window, local = _window(labels, coordinates)
    on_sites = _sites(local)
    if on_sites is not None:
        return window[on_sites]
    present = np.unique(window)
    result = np.full(coordinates.shape[1:], present[0], dtype=labels.dtype)
    if len(present) == 1:
        return result
    shares = [_linear((window == label)[None].astype(np.float32), local)[0] for label in present[1:]]
    largest = 1 - sum(shares[1:], shares[0])
    for label, share in zip(present[1:], shares):
        more = share > largest
        result[more], largest[more] = label, share[more]
    return result


def _sites(coordinates: Floats) -> tuple[NDArray[np.intp], ...] | None:
    """The sites at which all coordinates fall; None where some fall between."""
    whole = np.rint(coordinates)
    return tuple(whole.astype(np.intp)) if np.array_equal(whole, coordinates) else None


def _window(pixels: Pixels, coordinates: Floats, channels: int = 0) -> tuple[np.ndarray, Floats]:
    """The smallest box of ``pixels`` that holds the coordinates, and the coordinates inside it. The first ``channels``
    axes are taken whole."""
    low = [int(x.min()) for x in coordinates]
    high = [int(x.max()) + 2 for x in coordinates]
    local = coordinates - np.asarray(low, np.float32).reshape(-1, *(1,) * (coordinates.ndim - 1))
    return pixels[(*(slice(None),) * channels, *map(slice, low, high))], local


def _linear(pixels: Floats, coordinates: Floats) -> Floats:
    space = pixels.shape[1:]
    scaled = [2 * x / max(1, n - 1) - 1 for x, n in zip(coordinates, space)]
    grid = torch.from_numpy(np.stack(scaled[::-1], axis=-1))[None]  # last axis first: torch's x, y, z
    field = torch.from_numpy(pixels)[None]
    if len(space) == 1:  # torch has no one-dimensional sampling: an image one site high
        field, grid = field[:, :, None], torch.cat([grid, torch.zeros_like(grid)], dim=-1)[:, None]
    taken = functional.grid_sample(field, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return taken.reshape(pixels.shape[0], *coordinates.shape[1:]).numpy()


def _fold(x: Floats, size: int) -> Floats:
    last = size - 1
    if last == 0:
        return np.zeros_like(x)
    if x.min() >= 0 and x.max() <= last:
        return x
    x = np.abs(x) % np.float32(2 * last)
    return np.minimum(x, 2 * last - x)


def smooth_field(control: NDArray[np.float64], shape: Sequence[int]) -> Floats:
    """Evaluate the cubic B-spline of control points ``(ndim, *control)``: ``(ndim, *shape)``, in sites.

    Rueckert et al. 1999 (free-form deformation). The spline is a product of axes: a few small matrix products.
    """
    values = control.astype(np.float32)
    for axis, size in enumerate(shape, start=1):
        basis = _spline_basis(size, control.shape[axis] - 3)
        values = np.moveaxis(np.tensordot(basis, values, axes=(1, axis)), 0, axis)
    return values


def _spline_basis(size: int, cells: int) -> Floats:
    """Weights of ``cells + 3`` control points at ``size`` sites, ``(size, cells + 3)``; rows sum to one."""
    position = (np.arange(size) + 0.5) / size * cells
    cell = np.minimum(position.astype(int), cells - 1)
    t = position - cell
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    basis = np.zeros((size, cells + 3), dtype=np.float32)
    for k, weight in enumerate(weights):
        basis[np.arange(size), cell + k] = weight / 6
    return basis


def _orientation(augmentation: Augmentation, spacing: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    matrix = np.diag(rng.choice([-1.0, 1.0], size=len(spacing)))
    square = len(spacing) > 1 and np.isclose(spacing[-1], spacing[-2])
    if square and augmentation.rotation >= 90 and rng.random() < 0.5:
        matrix[:, [-2, -1]] = matrix[:, [-1, -2]]
    return matrix


def _rotation(augmentation: Augmentation, ndim: int, alike: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    planes = [(ndim - 2, ndim - 1, augmentation.rotation)]
    if alike:
        planes += [(0, j, augmentation.tilt) for j in range(1, ndim) if ndim > 2]
    matrix = np.eye(ndim)
    for i, j, largest in planes:
        angle = np.deg2rad(rng.uniform(-largest, largest))
        turn = np.eye(ndim)
        turn[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        matrix = turn @ matrix
    return matrix


def _bend(strength: float, shape: Sequence[int], alike: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    ndim = len(shape)
    cells = int(rng.integers(3, 9))
    control = rng.normal(0.0, strength, size=(ndim, *(cells + 3,) * ndim))
    if not alike:
        control[0] = 0.0  # thick sections stay where they are
    return control * np.reshape(np.asarray(shape) / cells, (ndim, *(1,) * ndim))


def _factor(largest: float, rng: np.random.Generator) -> float:
    """Between ``1 / (1 + largest)`` and ``1 + largest``, either way alike."""
    return float((1 + largest) ** rng.uniform(-1, 1))


@dataclass(frozen=True)
class Intensities:
    """Location and scale of the numbers of a field.

    Attributes:
        mean, deviation: of the numbers that count as standard, one for all channels or one for each, ``(C,)``; 0 and 1
            where they are standardised.
    """

    mean: Floats
    deviation: Floats

    @classmethod
    def standardised(cls) -> Intensities:
        """Return those of a standardised field: 0 and 1."""
        return cls(np.zeros(1, np.float32), np.ones(1, np.float32))


def change_intensities(
    field: Floats,
    augmentation: Augmentation,
    spacing: Sequence[float],
    rng: np.random.Generator,
    intensities: Intensities | None = None,
) -> Floats:
    """Change contrast, brightness, gamma, blur and noise of an image ``(C, *space)``, all channels alike.

    Args:
        intensities: of the field; by default it is standardised.
    """
    (changed,) = change_tones([field], augmentation, rng, intensities)
    return spoil(changed, augmentation, spacing, rng, intensities)


def change_tones(
    fields: Sequence[Floats],
    augmentation: Augmentation,
    rng: np.random.Generator,
    intensities: Intensities | None = None,
) -> list[Floats]:
    """Change contrast, brightness and gamma of images ``(C, *space)`` of one scale, all of them alike.

    Args:
        fields: an image, and its target where that is the same kind of image; NaN is not known.
        intensities: of the fields; by default they are standardised.
    """
    mean, unit = _by_channel(intensities, fields[0].ndim)
    if rng.random() < augmentation.chance:
        factor = np.float32(_factor(augmentation.contrast, rng))
        fields = [mean + (field - mean) * factor for field in fields]
    if rng.random() < augmentation.chance:
        shift = unit * np.float32(rng.uniform(-augmentation.brightness, augmentation.brightness))
        fields = [field + shift for field in fields]
    if rng.random() < augmentation.chance:
        fields = _bend_tones(fields, _factor(augmentation.gamma, rng))
    return list(fields)


def spoil(
    field: Floats,
    augmentation: Augmentation,
    spacing: Sequence[float],
    rng: np.random.Generator,
    intensities: Intensities | None = None,
) -> Floats:
    """Blur an image ``(C, *space)``, and add noise to it; for ``intensities`` see ``change_tones``."""
    _, unit = _by_channel(intensities, field.ndim)
    if rng.random() < augmentation.chance:
        # as far in space along every axis: fewer sites where these are farther apart
        reach = rng.uniform(0, augmentation.blur) * min(spacing)
        field = gaussian_filter(field, sigma=(0, *(reach / s for s in spacing)), mode="mirror", truncate=3.0)
    if rng.random() < augmentation.chance:
        deviation = np.float32(rng.uniform(0, augmentation.noise))
        field = field + unit * deviation * rng.standard_normal(field.shape, dtype=np.float32)
    return field


def _by_channel(intensities: Intensities | None, ndim: int) -> tuple[Floats, Floats]:
    known = intensities or Intensities.standardised()
    mean, deviation = (part.reshape(-1, *(1,) * (ndim - 1)) for part in (known.mean, known.deviation))
    return mean, deviation


def _bend_tones(fields: Sequence[Floats], exponent: float) -> list[Floats]:
    """Each channel's range bent by a power, its ends kept: that of all fields together, so that all are bent alike."""
    space = tuple(range(1, fields[0].ndim))
    low = np.fmin.reduce([np.fmin.reduce(field, axis=space, keepdims=True) for field in fields])
    high = np.fmax.reduce([np.fmax.reduce(field, axis=space, keepdims=True) for field in fields])
    extent = np.maximum(high - low, np.finfo(np.float32).tiny)
    return [low + extent * ((field - low) / extent) ** np.float32(exponent) for field in fields]


def _along(values: NDArray[np.float64], axis: int, ndim: int) -> NDArray[np.float64]:
    return values.reshape([-1 if a == axis else 1 for a in range(ndim)])
