"""The devices to choose from."""

from doubles import makeParameters, run


def test_the_device_list_shows_what_the_worker_found(panel, view, volumes):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], device="cuda:1")
    panel.setParameters(parameters)
    choices, current = view.shown["Devices"]
    assert [name for name, _ in choices] == ["auto", "cpu", "cuda:1"] and current == "cuda:1"
    panel.registerAction.onButton()
    run(panel)
    assert ("cpu", "CPU, 8 threads") in view.shown["Devices"][0]
