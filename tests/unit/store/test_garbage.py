"""Garbage is what nothing refers to and nobody used lately."""

from outspread.store.garbage import StoredBlob, garbage


def test_both_must_hold() -> None:
    blobs = [StoredBlob("kept", 1, 0.0), StoredBlob("old", 1, 9.9), StoredBlob("used", 1, 10.0)]
    assert [blob.hash for blob in garbage(blobs, kept={"kept"}, used_before=10.0)] == ["old"]
