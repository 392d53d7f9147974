"""How the node knows its own reports when they come back."""

from collections.abc import Mapping
from typing import Any

from pydicom import Dataset

_SR_CLASSES = "1.2.840.10008.5.1.4.1.1.88."  # the root of every SR storage class (PS3.4 B.5)
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and, under it, the multi-frame ones
_OWN_CLASSES = (_SR_CLASSES, _SECONDARY_CAPTURE + ".")


def is_own_report(header: Dataset | Mapping[str, Any], device_uid: str) -> bool:
    """Whether a data set is a report, or a picture of one, that the node ``device_uid`` made.

    Told from the header alone: an SR or Secondary Capture storage class, and our Device UID or,
    where an archive has dropped that, our Device Serial Number (PS3.3 C.7.5.1). ``header`` is
    read by keyword.
    """
    sop_class = str(header.get("SOPClassUID") or "")
    is_report = sop_class.startswith(_OWN_CLASSES) or sop_class == _SECONDARY_CAPTURE
    names = (header.get("DeviceUID"), header.get("DeviceSerialNumber"))
    return is_report and device_uid in {str(name).strip() for name in names if name}
