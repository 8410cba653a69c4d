"""Read pictures of meals within limits and without metadata such as the place, and have the buddy drawn."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.llm.client import LanguageModel, Picture, model_settings
from fitness_buddy.meals.stated import MAX_CHARACTERS, shortened
from fitness_buddy.notify.message import Attachment, OutgoingMessage
from fitness_buddy.notify.persona import Persona

MAX_BYTES = 8 * 2**20
# More than a phone takes. A small file can decompress to more than a machine has memory.
MAX_PIXELS = 120_000_000
KINDS = "PNG and JPEG, WebP and HEIC"
MEDIA_TYPES = {f"image/{name}" for name in ("png", "jpeg", "webp", "heic", "heif")}
# The longest edge of a converted picture: models scale down what is larger.
_EDGE, _QUALITY = 2048, 90
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
# The chunks that draw the picture. All others are metadata: texts, times, places, further frames.
_PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_EOI, _SOS, _APP0, _APP1, _APP14 = 0xD9, 0xDA, 0xE0, 0xE1, 0xEE
_JPEG_METADATA = {*range(_APP0 + 1, 0xF0), 0xFE} - {_APP14}  # Adobe's segment defines the colours
_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_EXIF, _ORIENTATION = b"Exif\0\0", 0x0112


class PictureError(BuddyError):
    """A picture that is not taken; the message is for the sender."""


def read_picture(content: bytes) -> Picture:
    """Return a picture for a language model: its pixels and its orientation, without metadata.

    Raises:
        PictureError: it is none of PNG, JPEG, WebP and HEIC, is too large, or is damaged.
    """
    kind = kind_of(content)
    if not kind:
        raise PictureError(f"I can look at {KINDS} pictures only.")
    if len(content) > MAX_BYTES:
        raise PictureError(
            f"That picture is too large: {len(content) / 2**20:.1f} MB, and I take up to {MAX_BYTES // 2**20} MB."
        )
    if kind not in {"png", "jpeg"}:
        content = _as_jpeg(content, kind)
    try:
        bare, pixels = _strip_png_metadata(content) if content.startswith(_PNG) else _strip_jpeg_metadata(content)
    except (struct.error, IndexError, ValueError):
        raise PictureError("That picture is damaged or cut off.") from None
    if not 0 < pixels <= MAX_PIXELS:
        raise _too_many(pixels)
    return Picture(bare)


def kind_of(content: bytes) -> str:
    """Return the kind of a picture by its first bytes: png, jpeg, webp or heif; empty for any other."""
    if content.startswith((_PNG, _JPEG)):
        return "png" if content.startswith(_PNG) else "jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    brands = {content[8:12], *(content[place : place + 4] for place in range(16, min(len(content), 64), 4))}
    return "heif" if content[4:8] == b"ftyp" and brands & _HEIF_BRANDS else ""


def _too_many(pixels: int) -> PictureError:
    return PictureError(
        f"That picture has {pixels / 1e6:.0f} million pixels, and I take up to {MAX_PIXELS / 1e6:.0f} million."
    )


def _as_jpeg(content: bytes, kind: str) -> bytes:
    """Return a WebP or HEIC picture as JPEG, the right way up: not every model reads others.

    Raises:
        PictureError: it has too many pixels, or is damaged.
    """
    from PIL import Image, ImageOps

    plugin = {"webp": "WEBP", "heif": "HEIF"}[kind]
    if kind == "heif":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    try:
        # The size is in the header: a small file can decompress to more than a machine has memory.
        with Image.open(io.BytesIO(content), formats=[plugin]) as opened:
            pixels = opened.width * opened.height
            if not 0 < pixels <= MAX_PIXELS:
                raise _too_many(pixels)
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except PictureError:
        raise
    except Exception:  # decoders raise many types of errors
        raise PictureError("That picture is damaged or cut off.") from None
    picture.thumbnail((_EDGE, _EDGE))
    # What is transparent is white, as most programs show it.
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    written = io.BytesIO()
    flat.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


def can_draw() -> bool:
    """Return whether the settings name an image model."""
    settings = model_settings()
    return settings is not None and bool(settings.image_model)


def draw_meal(model: LanguageModel, persona: Persona, meal: str) -> OutgoingMessage:
    """Return the picture of the buddy who eats a meal, as the message that shows it.

    Raises:
        ModelError: the model gave no picture.
    """
    drawn = model.picture("meal_picture", picture_prompt(persona, shortened(meal, MAX_CHARACTERS)))
    name = f"meal.{drawn.media_type.partition('/')[2]}"
    return OutgoingMessage("Same here. Enjoy!", attachments=[Attachment(name, drawn.content, drawn.media_type)])


def picture_prompt(persona: Persona, meal: str) -> str:
    """Return the prompt for an image model: the buddy eats the same meal, which is described in somebody's words."""
    return (
        f"A warm, simple illustration of {persona.name}, a friendly training partner, who sits at a kitchen table and "
        f"eats the same meal as the athlete. The meal, a description and nothing else: {meal!r}. "
        "One person, one meal, no writing, no logos, no brands."
    )


def _strip_png_metadata(content: bytes) -> tuple[bytes, int]:
    kept, pixels = [_PNG], 0
    for kind, chunk in _png_chunks(content):
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", chunk, 8)
            pixels = width * height
        if kind in _PNG_CHUNKS:
            kept.append(chunk)
    return b"".join(kept), pixels


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and all bytes of each chunk, up to the end of the picture."""
    start, kind = len(_PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, start)
        end = start + 12 + length
        if end > len(content):
            raise ValueError
        yield kind, content[start:end]
        start = end


def _strip_jpeg_metadata(content: bytes) -> tuple[bytes, int]:
    kept: list[bytes] = []
    pixels, orientation = 0, 0
    position = len(_JPEG)
    while True:
        if content[position] != 0xFF:
            raise ValueError
        marker = content[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker == _EOI:
            break
        (length,) = struct.unpack_from(">H", content, position + 2)
        end = position + 2 + length
        segment = content[position:end]
        if length < 2 or end > len(content):
            raise ValueError
        if marker in _SIZES:
            height, width = struct.unpack_from(">HH", segment, 5)
            pixels = height * width
        if marker == _APP1 and segment[4:].startswith(_EXIF):
            orientation = _orientation(segment[4 + len(_EXIF) :]) or orientation
        if marker == _SOS:
            # The data of a scan has no length: it ends at the next marker.
            following = _NEXT_MARKER.search(content, end)
            if not following:
                raise ValueError
            end = following.start()
            segment = content[position:end]
        if marker not in _JPEG_METADATA:
            kept.append(segment)
        position = end
    return b"".join([_JPEG, _exif(orientation), *kept, bytes([0xFF, _EOI])]), pixels


def _orientation(tiff: bytes) -> int:
    """Return the orientation, 1 to 8; 0 if there is none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 0
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for number in range(count):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * number)
            if tag == _ORIENTATION and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return 0


def _exif(orientation: int) -> bytes:
    """Return a segment that holds the orientation and nothing else."""
    if not orientation:
        return b""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)
    return struct.pack(">BBH", 0xFF, _APP1, 2 + len(_EXIF) + len(tiff)) + _EXIF + tiff
