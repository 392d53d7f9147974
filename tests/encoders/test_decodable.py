"""What the SCP may accept."""

from pydicom import uid

from encoders.decodable import decoders_of, is_native, transfer_syntaxes


def test_uncompressed_come_first_and_lossless_before_lossy() -> None:
    found = transfer_syntaxes()
    assert found[0] == uid.ExplicitVRLittleEndian
    assert len(set(found)) == len(found)
    assert found.index(uid.JPEG2000Lossless) < found.index(uid.JPEG2000)


def test_the_syntaxes_that_the_field_sends_are_decodable_here() -> None:
    assert {
        uid.JPEGBaseline8Bit,
        uid.JPEGExtended12Bit,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
        uid.HTJ2KLossless,
        uid.RLELossless,
    } <= set(transfer_syntaxes())


def test_unknown_syntaxes_have_no_decoder() -> None:
    assert decoders_of("1.2.3") == ()
    assert decoders_of(uid.MPEG2MPML) == ()
    assert decoders_of(uid.ExplicitVRLittleEndian) == ()
    assert is_native(uid.ExplicitVRLittleEndian)
