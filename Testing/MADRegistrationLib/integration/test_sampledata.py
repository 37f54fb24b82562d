"""The bundled pair in Slicer's Sample Data module."""


def test_sample_data_shows_the_pair():
    from MADRegistrationLib.integration import sampledata

    assert sampledata.THUMBNAIL.is_file() and sampledata.THUMBNAIL.name != "MADRegistration.png"
