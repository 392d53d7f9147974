"""Recipes of mutated files that found something, and what each found.

A real image is never committed: its recipe is, with a digest of the file that it makes, so that
no change of the mutations turns it into another file unnoticed. Files of ``made/...`` depend on
the encoders that are installed, and have none; `test_regressions.py` has small files of each kind.
"""

from dataclasses import dataclass

from tests.fuzzing.mutants import Recipe

TABLE = "entries of a VOI LUT over its bits: pixels outside [0, 1]"
LOST = "bytes lost before the frame shown: all values shifted"
TRAIL = "bytes lost, elements behind the pixel data taken for pixels"
PUT = "bytes put in: all values behind them shifted"
LEN = "another number of columns or rows than the pixel data has"
RLE = "RLE that decodes to more than the rows and columns declared"
ENC = "encapsulated fragments shown as if they were native"
PAL = "a palette of two colours: a fault of this program"
ABORT = "GDCM aborts"
UID = "a reason that quotes what should be a UID: control characters, thousands of them"
BYTES = "a reason that quotes the bytes of a value"
RLECUT = "RLE segments that end too soon or too late; DCMTK refuses them"
JPEG = "JPEG whose scan ends too soon; DCMTK refuses it"
WHITE = "white pixels behind the value taken for an element of undefined length"
IMPL = "a data set in another encoding than its transfer syntax names"


@dataclass(frozen=True)
class Found:
    """A recipe, the first digits of the file's SHA-256, and what used to come of it."""

    text: str
    digest: str
    what: str

    @property
    def recipe(self) -> Recipe:
        """The recipe of that text."""
        return Recipe.parse(self.text)


CORPUS: tuple[Found, ...] = (
    Found("made/dx overwrite_bytes 0", "", TABLE),
    Found("made/dx_deflated overwrite_bytes 1", "", TABLE),
    Found("formats/emri_small.dcm cut_pixels 0", "b9b45b409aaa", LOST),
    Found("formats/emri_small_big_endian.dcm cut_pixels 0", "1fc1ec1e3a87", LOST),
    Found("formats/emri_small_big_endian.dcm cut_block 3", "3423a1d3fded", LOST),
    Found("made/enhanced cut_pixels 1", "", LOST),
    Found("syntaxes/CT1_UNC.dcm drop_fragment 0", "67a181073d9f", TRAIL),
    Found("syntaxes/CT2_UNC.dcm cut_pixels 0", "515d4ee6bdb4", TRAIL),
    Found("syntaxes/MR1_UNC.dcm cut_block 0", "e5e265f092de", TRAIL),
    Found("formats/vlut_04.dcm insert_block 0", "acf5597834cb", PUT),
    Found("formats/vlut_04.dcm repeat_block 0", "02156c283df1", PUT),
    Found("formats/emri_small_big_endian.dcm insert_block 0", "5c851aa3f652", PUT),
    Found("made/palette insert_pixels 0", "", PUT),
    Found("made/rgb stray_pixel_item 0", "", PUT),
    Found("formats/vlut_04.dcm set_number 1", "eb0e09e7f59f", LEN),
    Found("formats/SC_rgb_16bit.dcm set_number 7", "d93205ac1b34", LEN),
    Found("formats/emri_small.dcm set_lookup_table 4", "c5ef30880ded", LEN),
    Found("syntaxes/CT1_RLE.dcm set_number 0", "82b7421c685a", RLE),
    Found("made/rgb_rle set_transfer_syntax 3", "", ENC),
    Found("made/ct_rle set_transfer_syntax 4", "", IMPL),
    Found("traps/UnknownSopClassUid.dcm insert_block 2", "8fa3e50e8c4d", IMPL),
    Found("made/palette set_text 1", "", PAL),
    Found("made/palette empty_value 1", "", PAL),
    Found("formats/JPEG-LL.dcm change_marker_segment 6", "6cadaa36c124", ABORT),
    Found("traps/bad_sequence.dcm change_rle_header 1", "8969f3536668", ABORT),
    Found("traps/bad_sequence.dcm change_marker_segment 2", "34ab04e976bd", ABORT),
    Found("syntaxes/CT2_J2KI.dcm change_vr 1", "6907c5fc76e6", UID),
    Found("syntaxes/MR1_JLSL.dcm set_text 1", "0c7696a47f19", UID),
    Found("traps/PatientIdsCollision/Image3.dcm cut_block 0", "169e8c0cea3e", UID),
    Found("formats/vlut_04.dcm several 1", "959470c1f5ba", UID),
    Found("traps/encodings/Lena-shift-jis.dcm set_text 5", "dca817ca8bfc", UID),
    Found("traps/PatientIdsCollision/Image1.dcm set_text 1", "9eb2600c8696", BYTES),
    Found("traps/PatientIdsCollision/Image3.dcm change_vr 0", "8147846aad06", BYTES),
    Found("syntaxes/CT1_RLE.dcm cut_pixels 1", "52812c2f7302", RLECUT),
    Found("formats/emri_small_RLE.dcm cut_block 5", "3121a451a3a3", RLECUT),
    Found("made/enhanced_rle insert_pixels 2", "", RLECUT),
    Found("traps/encodings/Lena-greek.dcm overwrite_pixels 5", "15aa8ec11edf", JPEG),
    Found("traps/encodings/Lena-greek.dcm move_block 5", "ca2e228d0d6d", JPEG),
    Found("made/jpeg_baseline overwrite_bytes 4", "", JPEG),
    Found("syntaxes/MR1_JPLL.dcm double_fragment 0", "b11ff8dc9853", JPEG),
    Found("syntaxes/CT2_JPLL.dcm double_fragment 6", "6c71ef3961b5", JPEG),
    Found("formats/JPEG-LL.dcm change_marker_segment 0", "6361013a6e9c", JPEG),
    Found("traps/UnknownSopClassUid.dcm insert_pixels 0", "3284a4010c26", WHITE),
    Found("traps/UnknownSopClassUid.dcm repeat_block 0", "0e907ddd822e", WHITE),
)
"""Each is refused today."""
