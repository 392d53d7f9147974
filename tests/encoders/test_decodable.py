"""Which decoder is asked for what."""

from pydicom import uid

from encoders.decodable import decoders_of, is_native


def test_unknown_syntaxes_have_no_decoder() -> None:
    assert decoders_of("1.2.3") == ()
    assert decoders_of(uid.MPEG2MPML) == ()
    assert decoders_of(uid.ExplicitVRLittleEndian) == ()
    assert is_native(uid.ExplicitVRLittleEndian)
