"""Taking the photograph: pose, light, lens, sensor and compression, consistently for picture and masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Image, Mask
from .noise import chance, grain, pixel_grid, smooth_noise, uniform

Pixels = NDArray[np.uint8]
BRIGHTEST_MEAN, DARKEST_MEAN = 0.82, 0.14


def pose(rng: np.random.Generator, image: Image, masks: dict[str, Mask]) -> tuple[Image, dict[str, Mask]]:
    """Turn, mirror, zoom and shear a little; the same for the picture and every mask."""
    size = image.shape[0]
    middle = (size - 1) / 2
    quarter = 90.0 * (int(rng.integers(4)) if chance(rng, 0.5) else 2 * int(rng.integers(2)))
    small = uniform(rng, -10, 10) if chance(rng, 0.3) else uniform(rng, -1.5, 1.5)
    zoom = uniform(rng, 0.95, 1.4) if chance(rng, 0.4) else uniform(rng, 0.98, 1.05)
    matrix = cv2.getRotationMatrix2D((middle, middle), quarter + small, zoom)
    if chance(rng, 0.5):
        matrix = matrix @ np.asarray([[-1, 0, size - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    matrix[:, 2] += rng.uniform(-0.03, 0.03, 2) * size
    matrix[0, 1] += uniform(rng, -0.03, 0.03)
    moved = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    moved_masks: dict[str, Mask] = {}
    for kind, mask in masks.items():
        weight = mask.astype(np.uint8) * 255
        turned = cv2.warpAffine(weight, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        moved_masks[kind] = np.asarray(turned > 110)
    return np.asarray(moved, dtype=np.float32), moved_masks


def light(rng: np.random.Generator, image: Image) -> Image:
    """Uneven light: gradients, soft clouds, dark corners; then exposure, contrast and gamma."""
    size = image.shape[0]
    x, y = pixel_grid(size)
    if chance(rng, 0.5):
        angle = uniform(rng, 0, 2 * np.pi)
        slope = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))) / size
        field = 1 + uniform(rng, 0.0, 0.3) * (slope - slope.mean())
        if chance(rng, 0.4):
            far = ((x - size / 2) ** 2 + (y - size / 2) ** 2) / (size * size / 2)
            field = field * (1 - uniform(rng, 0.05, 0.4) * far)
        if chance(rng, 0.4):
            field = field * (1 + 0.05 * smooth_noise(rng, size, size / 3))
        image = image * field[:, :, None].astype(np.float32)
    contrast, brightness = uniform(rng, 0.75, 1.25), uniform(rng, -0.08, 0.08)
    image = (image - 0.5) * np.float32(contrast) + np.float32(0.5 + brightness)
    image = np.clip(image + min(0.0, 0.85 - float(image.mean())), 0, 1)
    mean = float(image.mean())
    if mean > BRIGHTEST_MEAN:  # an exposure that burns out would also hide the defects
        image = image * np.float32(BRIGHTEST_MEAN / mean)
    elif mean < DARKEST_MEAN:
        image = np.clip(image * np.float32(DARKEST_MEAN / max(mean, 0.03)), 0, 1)
    return np.asarray(image, dtype=np.float32)


def develop(rng: np.random.Generator, image: Image) -> Pixels:
    """Apply gamma, and for half of the pictures drop colour; return bytes."""
    levels = np.linspace(0, 1, 256) ** float(np.exp(rng.normal(0, 0.25)))
    table = np.clip(levels * 255 + 0.5, 0, 255).astype(np.uint8)
    pixels = cv2.LUT((image * 255 + 0.5).astype(np.uint8), table)
    if chance(rng, 0.5):
        pixels = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(pixels, dtype=np.uint8)


def resolve(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """Limit the resolution: lens blur, or a smaller original that was enlarged."""
    size = pixels.shape[0]
    if chance(rng, 0.35):
        fewer = max(16, round(size * uniform(rng, 0.6, 0.95)))
        small = cv2.resize(pixels, (fewer, fewer), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    elif chance(rng, 0.4):
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), uniform(rng, 0.4, 1.2)), dtype=np.uint8)
    elif chance(rng, 0.3):  # a larger original looks crisper once it is reduced
        soft = cv2.GaussianBlur(pixels, (0, 0), 1.0)
        gain = uniform(rng, 0.2, 0.6)
        pixels = np.asarray(cv2.addWeighted(pixels, 1 + gain, soft, -gain, 0), dtype=np.uint8)
    return pixels


def sense(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """Add sensor noise and compression."""
    size = pixels.shape[0]
    if chance(rng, 0.5):
        noise = np.rint(uniform(rng, 1.0, 7.0) * grain(rng, size)).astype(np.int16)
        shared = cv2.merge([noise, noise, noise])
        pixels = np.asarray(cv2.add(pixels, shared, dtype=cv2.CV_8U), dtype=np.uint8)
    if chance(rng, 0.3):
        done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))])
        if done:
            pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return pixels


def photograph(rng: np.random.Generator, image: Image, masks: dict[str, Mask]) -> tuple[Pixels, dict[str, Mask]]:
    """Return the finished picture and the masks as seen in it."""
    posed, posed_masks = pose(rng, image, masks)
    pixels = develop(rng, light(rng, posed))
    return sense(rng, resolve(rng, pixels)), posed_masks
