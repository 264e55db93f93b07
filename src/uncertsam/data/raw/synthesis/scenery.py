"""What several worlds put into their pictures: things, stains, shade, and a ground seen from a slant."""

import cv2
import numpy as np

from uncertsam.data.raw.synthesis import shapes, textures
from uncertsam.data.raw.synthesis.textures import Classes, Colour, Field, Mask, Material, Picture, Rng


def hidden(rng: Rng, scene: Colour, mask: Mask, stuff: Material, contrast: float, fade: float = 4.0) -> Colour:
    """Put one object of `stuff` into a scene [linear light], with the tone of the ground that it hides.

    `contrast`: how far tone, shading and grain are from the ground's; 0 would hide it wholly. `fade` is how
    wide its edge is where it fades [px]. `mask` is not empty.
    """
    height, width = mask.shape
    turn, scale = rng.uniform(0.4, 1.2) * rng.choice([-1, 1]), np.exp(contrast * rng.uniform(-0.6, 0.6))
    skin = stuff.turned(float(turn), float(scale)).render(rng, height, width)
    gain = 1 + contrast * rng.uniform(0.15, 0.35) * rng.choice([-1, 1])
    tint = 1 + contrast * rng.normal(0, 0.08, 3)
    skin = skin * (gain * tint * scene[mask].mean(axis=0) / (skin[mask].mean(axis=0) + 1e-3)).astype(np.float32)
    body = dome(mask, 0.15 * np.sqrt(mask.sum()))
    skin = textures.lit(skin, 1 + np.float32(contrast) * lit_from(rng, cv2.GaussianBlur(body, (0, 0), 2)))
    scene = textures.lit(scene, 1 - np.float32(0.5 * contrast) * _cast(rng, mask))
    edge = _faded_edge(rng, mask, fade)[..., None]
    return np.clip(scene + edge * (skin - scene), 0, 1)


def _faded_edge(rng: Rng, mask: Mask, fade: float = 4.0) -> Field:
    """The object's opacity: a crisp edge that fades over about `fade` pixels in places."""
    hard = mask.astype(np.float32)
    crisp, faded = cv2.GaussianBlur(hard, (0, 0), 0.8), cv2.GaussianBlur(hard, (0, 0), fade)
    height, width = mask.shape
    where = np.clip(textures.noise(rng, height, width, 30.0) - 0.2, 0, 1)
    return crisp + where * (faded - crisp)


def dome(mask: Mask, reach: float) -> Field:
    """Height of a rounded body [px]: rises over `reach` px from the mask's edge and is level beyond."""
    inside = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    t = np.clip(inside / np.float32(max(reach, 1.0)), 0, 1)
    return np.float32(reach) * np.sqrt(t * (2 - t))


def lit_from(rng: Rng, height: Field) -> Field:
    """Shading in (-1, 1) of a height field [px] lit from somewhere above."""
    angle = rng.uniform(-np.pi, 0)
    dy, dx = np.gradient(height)
    slope = np.float32(np.cos(angle)) * dx + np.float32(np.sin(angle)) * dy
    return (-slope / np.sqrt(1 + dx * dx + dy * dy)).astype(np.float32)


def _cast(rng: Rng, mask: Mask) -> Field:
    """The contact shadow beside an object, in [0, 1]."""
    shift = np.array([[1, 0, rng.uniform(-4, 4)], [0, 1, rng.uniform(1, 4)]])
    moved = cv2.warpAffine(mask.astype(np.float32), shift, mask.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(moved, (0, 0), 2.5)


def half_plane(rng: Rng, height: int, width: int) -> Mask:
    """One side of a random, slightly uneven line: a kerb, the foot of a wall."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width] - rng.uniform(0.2, 0.8, (2, 1, 1)) * [[[height]], [[width]]]
    uneven = rng.uniform(0, 4) * textures.noise(rng, height, width, 40.0)
    return (np.cos(angle) * x + np.sin(angle) * y + uneven) > 0


def stained(rng: Rng, ground: Colour, patch: Mask, depth: float, stuff: Material) -> Colour:
    """A wet or dirty patch of the same ground, or a thing of other stuff, as dark as the shadow or nearly."""
    height, width = patch.shape
    gain = 1 - depth * rng.uniform(0.6, 1.3)
    if rng.random() < 0.6:
        spot = ground * np.float32(gain) * (1 + rng.normal(0, 0.06, 3)).astype(np.float32)
    else:
        other = Material.draw(rng) if rng.random() < 0.5 else stuff.turned(float(rng.uniform(0.5, 2.5)), 0.7)
        spot = other.render(rng, height, width)
        spot = spot * np.float32(gain * ground[patch].sum() / (spot[patch].sum() + 1e-3))
    soft = cv2.GaussianBlur(patch.astype(np.float32), (0, 0), float(np.exp(rng.uniform(-0.7, 1.5))))
    return ground + soft[..., None] * (np.clip(spot, 0, 1) - ground)


def tilted(rng: Rng, ground: Colour, dark: Mask) -> tuple[Colour, Mask]:
    """See the ground from a slant: the near edge is up to twice as large as the far one."""
    height, width = dark.shape
    near, roll = rng.uniform(0, 0.25) * width, rng.uniform(-0.05, 0.05) * height
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[0, roll], [width, -roll], [width - near, height], [near, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(seen, whole)
    warped = [
        cv2.warpPerspective(layer, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        for layer in (ground, dark.astype(np.float32))
    ]
    return np.clip(warped[0], 0, 1), warped[1] > 0.5


def held(other: Mask, mask: Mask) -> int:
    """How many pixels of `other` are in the bounding box of the mask."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return int(other[y : y + height, x : x + width].sum())


def penumbra(rng: Rng, occluder: Mask, softest: tuple[float, float] = (3.0, 9.0)) -> Field:
    """Blur a silhouette with a radius that grows along a direction: sharp at the foot, soft far from the ground.

    `softest` is the range of the largest radius, in pixels of a picture of 320.
    """
    height, width = occluder.shape
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    along = np.clip(0.5 + 0.6 * (np.cos(angle) * x + np.sin(angle) * y), 0, 1)
    reach = max(height, width) / 320
    radii = reach * np.geomspace(0.6, rng.uniform(*softest), 5)
    layers = [cv2.GaussianBlur(occluder.astype(np.float32), (0, 0), r, borderType=cv2.BORDER_REPLICATE) for r in radii]
    place = along * (len(layers) - 1)
    weights = [np.clip(1 - np.abs(place - k), 0, 1) for k in range(len(layers))]
    return sum(w * layer for w, layer in zip(weights, layers, strict=True)).astype(np.float32)


def shaded(rng: Rng, ground: Colour, shade: Field, depth: float) -> Colour:
    """Take `depth` of the light away where `shade` is 1; the sky still reaches a shadow, so blue loses least."""
    cold = rng.uniform(0.0, 0.12)
    attenuation = np.float32(depth) * np.array([1 + cold, 1, 1 - cold], np.float32)
    return ground * (1 - shade[..., None] * attenuation)


def pictured(rng: Rng, scene: Colour) -> Picture:
    """The photograph of a scene in linear light, unevenly lit."""
    light = textures.lit(scene, textures.illumination(rng, *scene.shape[:2]))
    return textures.photograph(rng, exposed(rng, light))


def exposed(rng: Rng, light: Colour) -> Colour:
    """Linear light, scaled so that its bright parts are just below white."""
    return light * np.float32(rng.uniform(0.55, 0.95) / np.percentile(light, 98))


def cluttered(rng: Rng, height: int, width: int, things: int) -> Colour:
    """A place in linear light: two or three surfaces that meet, and opaque `things` of other stuff."""
    scene = Material.draw(rng).muted(float(rng.uniform(0.3, 0.8))).render(rng, height, width)
    for _ in range(int(rng.integers(1, 3))):
        beside = half_plane(rng, height, width)[..., None]
        scene = np.where(beside, Material.draw(rng).muted(0.6).render(rng, height, width), scene)
    for _ in range(things):
        mask = shapes.place(rng, shapes.silhouette(rng), height, width, float(rng.uniform(0.01, 0.08)), margin=-0.1)
        if mask.any():
            scene = hidden(rng, scene, mask, Material.draw(rng), float(rng.uniform(0.5, 1.5)))
    return scene


def glazed(rng: Rng, scene: Colour, mask: Mask, clear: tuple[float, float]) -> Colour:
    """Put a pane of glass before part of a scene; `clear` is the range of the share of light that comes from behind."""
    height, width = mask.shape
    share = float(rng.uniform(*clear))
    tint = (share * rng.uniform(0.85, 1.1, 3)).astype(np.float32)
    mirrored = cv2.GaussianBlur(Material.draw(rng).render(rng, height, width), (0, 0), float(rng.uniform(1, 5)))
    step = rng.uniform(-4, 4, 2)  # glass bends what is behind it by a few pixels
    shift = np.array([[1, 0, step[0]], [0, 1, step[1]]])
    behind = cv2.warpAffine(scene, shift, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    glass = behind * tint + np.float32((1 - share) * scene.mean() / (mirrored.mean() + 1e-3)) * mirrored
    edge = _faded_edge(rng, mask)[..., None]
    return np.clip(scene + edge * (glass - scene), 0, 1)


def binary(mask: Mask) -> Classes:
    """0 and 255, as masks are saved."""
    return mask.astype(np.uint8) * np.uint8(255)
