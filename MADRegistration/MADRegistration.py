"""MAD Registration: choose two volumes, press Register, see them snap together.  The work is done in MADRegistrationLib
and madreg; this file connects it to Slicer's module machinery and to the widgets of Resources/UI/MADRegistration.ui."""

import time
import unittest
from typing import TYPE_CHECKING, Annotated, Union

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

# all else of MADRegistrationLib is imported when it is needed: Slicer imports this file whenever it starts
from MADRegistrationLib.integration.contextmenu import registerContextMenu
from MADRegistrationLib.integration.sampledata import registerSampleData
from MADRegistrationLib.selection.firstvolumes import chooseFirstVolumes
from MADRegistrationLib.selection.parameters import Initialization, Interpolation, Measure, TransformType, VoxelType

if TYPE_CHECKING:
    from MADRegistrationLib.inputs import Inputs
    from MADRegistrationLib.jobs.registration import SceneRegistration


class MADRegistration(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MAD Registration")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        self.parent.contributors = ["The MADRegistration contributors"]
        self.parent.helpText = _(
            "Brings two scans of any contrast together (CT, MR of any kind, PET), wherever they lie: rigid, similarity "
            "or affine. Choose the volume that stays and the volume that moves, and press Register."
            '<p>Research software: not for clinical use.<p><a href="https://github.com/MADRegistration/'
            'SlicerMADRegistration#in-3d-slicer">Tutorial and troubleshooting</a>'
        )
        self.parent.acknowledgementText = _(
            'Implements the Modality Agnostic Distance (MAD), <a href="https://arxiv.org/abs/2309.02875">'
            "arXiv 2309.02875</a>. Demo data: pycortex (BSD-2)."
        )
        for register in (registerSampleData, registerContextMenu):
            slicer.app.connect("startupCompleted()", register)


@parameterNodeWrapper
class MADRegistrationParameterNode:
    """All choices of the panel; saved with the scene.  The masks need typing.Union with None: it is the one form
    that both the serializers and the node selectors of Slicer 5.10 know."""

    fixedVolume: slicer.vtkMRMLScalarVolumeNode
    movingVolume: slicer.vtkMRMLScalarVolumeNode
    fixedMask: Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007
    movingMask: Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007
    structures: Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007
    initialTransform: slicer.vtkMRMLLinearTransformNode
    outputTransform: slicer.vtkMRMLLinearTransformNode
    resampledVolume: slicer.vtkMRMLScalarVolumeNode
    interpolation: Interpolation = Interpolation.LINEAR
    hasFillValue: bool = False
    fillValue: Annotated[float, WithinRange(-1e6, 1e6)] = 0.0
    voxelType: VoxelType = VoxelType.MOVING
    transformType: TransformType = TransformType.RIGID
    initialization: Initialization = Initialization.SEARCH
    measure: Measure = Measure.DEFAULT
    device: str = "auto"
    seed: Annotated[int, WithinRange(0, 9999)] = 0
    followProgress: bool = True
    moveAlong: bool = True


def parametersOf(node: slicer.vtkMRMLScriptedModuleNode) -> MADRegistrationParameterNode:
    """The choices that a node of the scene holds."""
    from MADRegistrationLib.selection.storedchoices import forgetUnknown

    forgetUnknown(node)
    return MADRegistrationParameterNode(node)


class MADRegistrationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects :class:`Panel`, which decides, with the widgets: it passes on what the user does."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._panel = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self) -> None:
        """Called when the user opens the module the first time."""
        from MADRegistrationLib.integration import pytorch
        from MADRegistrationLib.panel.panel import Panel
        from MADRegistrationLib.widgets.connections import Connections
        from MADRegistrationLib.widgets.view import WidgetView

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MADRegistration.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.ui.parameterSetSelector.addAttribute("vtkMRMLScriptedModuleNode", "ModuleName", "MADRegistration")
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = MADRegistrationLogic()
        self._connections = Connections(self.ui, self.parent)
        self._view = WidgetView(self.ui, self._connections.startPolling)
        self._panel = Panel(self._view, self.logic.client, pytorch.ensure)
        self._connections.connect(self._panel)
        self.ui.deviceComboBox.connect("activated(int)", self._onDevice)
        self.ui.parameterSetSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onParameterSet)
        for event, slot in (
            (slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose),
            (slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose),
            (slicer.mrmlScene.EndImportEvent, self.onSceneEndImport),
        ):
            self.addObserver(slicer.mrmlScene, event, slot)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Called when Slicer closes or the module is reloaded."""
        self.removeObservers()
        if self._panel:
            self._connections.stop()
            self._panel.close()

    def enter(self) -> None:
        self.initializeParameterNode()

    def exit(self) -> None:
        """The user opens another module: a running registration goes on."""
        self.ui.flickerButton.checked = False
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None

    def onSceneStartClose(self, caller, event) -> None:
        self.ui.flickerButton.checked = False
        self._panel.onSceneStartClose()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event) -> None:
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller, event) -> None:
        """A loaded scene brings its own choices, without an event of the parameter node."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Make sure that there is a parameter node; choose the first two volumes if none is chosen."""
        chosen = self.ui.parameterSetSelector.currentNode()
        self.setParameterNode(parametersOf(chosen) if chosen else self.logic.getParameterNode())
        chooseFirstVolumes(self._parameterNode)

    def setParameterNode(self, parameterNode) -> None:
        """Connect the widgets to another parameter node, or to none."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParametersChanged)
        self._parameterNode = parameterNode
        if self._parameterNode:
            self.ui.parameterSetSelector.setCurrentNode(self._parameterNode.parameterNode)
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParametersChanged)
        self._panel.setParameters(parameterNode)

    def _onParametersChanged(self, caller=None, event=None) -> None:
        self._panel.update()

    # --- what the user does --------------------------------------------------------------------------------------

    def chooseMoving(self, volume) -> None:
        """Called by the context menu of Data: this volume is to be registered."""
        self._panel.choosePairAction.onVolume(volume)

    def _onDevice(self, index) -> None:
        if self._parameterNode:
            self._parameterNode.device = self._view.selection.deviceNames[index]

    def _onParameterSet(self, node) -> None:
        """The user chooses, or makes, another set of parameters in the scene; or the last one is removed."""
        if node is None:  # a node may be on its way out of the scene: no other can be added now
            qt.QTimer.singleShot(0, self._replaceRemovedSet)
        elif self._parameterNode is not None and node is not self._parameterNode.parameterNode:
            self.setParameterNode(parametersOf(node))
            chooseFirstVolumes(self._parameterNode)

    def _replaceRemovedSet(self) -> None:
        """What is chosen with a set that has left the scene would be forgotten at once: make another."""
        current = self._parameterNode
        if self.parent.isEntered and current is not None and current.parameterNode.GetScene() is None:
            self.initializeParameterNode()


class MADRegistrationLogic(ScriptedLoadableModuleLogic):
    """Registration for scripts: the same that the panel does."""

    def __init__(self) -> None:
        from MADRegistrationLib.worker.client import WorkerClient
        from MADRegistrationLib.worker.process import QtProcess, pythonOfSlicer

        ScriptedLoadableModuleLogic.__init__(self)
        self.client = WorkerClient(QtProcess, [pythonOfSlicer()])

    def getParameterNode(self):
        return parametersOf(super().getParameterNode())

    def register(self, inputs: "Inputs", settings: dict | None = None) -> "SceneRegistration":
        """Register, and wait until it is over while Slicer's interface goes on.

        Args:
            inputs: the nodes; at least ``Inputs(fixedVolume, movingVolume)``.
            settings: fields of ``madreg.settings.Settings`` that differ from the default.

        Returns:
            The finished registration: its ``report``, its ``transform``, and ``revert()``.

        Raises:
            RuntimeError: if it failed; the message is for the user.
        """
        from madreg.errors import InputError
        from MADRegistrationLib.jobs.registration import SceneRegistration

        registration = SceneRegistration(self.client, inputs, settings or {})
        try:
            registration.start()
        except InputError as error:
            raise RuntimeError(str(error)) from error
        while registration.state == "running":
            slicer.app.processEvents()
            registration.poll()
            time.sleep(0.01)
        if registration.state != "done":
            raise RuntimeError(registration.message or "The registration was cancelled.")
        return registration


class MADRegistrationTest(ScriptedLoadableModuleTest):
    """Slicer's own self-test: the bundled pair, far apart, through the logic and through the panel."""

    def setUp(self):
        from MADRegistrationLib.integration import pytorch

        if not pytorch.isInstalled():
            self.skipTest("PyTorch is not installed")
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Called by the button Reload and Test; the test runner calls each test by itself."""
        for test in (self.test_logic, self.test_panel):
            try:
                self.setUp()
            except unittest.SkipTest as reason:
                return self.delayDisplay(f"MADRegistration self-test SKIPPED: {reason}")
            test()

    def loadDisplacedPair(self):
        """The bundled pair with the moving volume rotated by 60 degrees and shifted by about 54 mm."""
        from madreg import resources

        files = ("T1w.nii.gz", "EPI.nii.gz")
        fixed, moving = (slicer.util.loadVolume(str(resources.path("Demo", file))) for file in files)
        turn = vtk.vtkTransform()
        turn.Translate(40, -30, 20)
        turn.RotateWXYZ(60, 1, 2, 3)
        self.displacement = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Displacement")
        self.displacement.SetMatrixTransformToParent(turn.GetMatrix())
        moving.SetAndObserveTransformNodeID(self.displacement.GetID())
        return fixed, moving

    def assertAligned(self, fixed, moving):
        """Assert the mean distance in mm between where the points of the fixed scan are seen in both volumes."""
        from MADRegistrationLib.results.registrationerror import demoErrorMm

        error = demoErrorMm(fixed, moving)
        self.delayDisplay(f"Error: {error:.2f} mm")
        self.assertLess(error, 5.0)

    def test_logic(self):
        from MADRegistrationLib.inputs import Inputs

        fixed, moving = self.loadDisplacedPair()
        logic = MADRegistrationLogic()
        try:
            registration = logic.register(Inputs(fixed, moving))
            self.assertAligned(fixed, moving)
            registration.revert()
            self.assertEqual(moving.GetTransformNodeID(), self.displacement.GetID())
        finally:
            logic.client.stop()

    def test_panel(self):
        fixed, moving = self.loadDisplacedPair()
        widget = slicer.util.getModuleWidget("MADRegistration")  # also without a main window
        widget.initializeParameterNode()
        parameters = widget._parameterNode
        parameters.fixedVolume, parameters.movingVolume = fixed, moving
        slicer.app.processEvents()
        self.assertEqual(widget.ui.applyButton.text, _("Register"))
        widget.ui.applyButton.click()
        self.assertEqual(widget.ui.applyButton.text, _("Cancel"))
        while widget._panel.isRunning:
            slicer.app.processEvents()
            time.sleep(0.01)
        self.assertAligned(fixed, moving)
        self.assertIs(parameters.outputTransform, moving.GetParentTransformNode())
        # the choices and Revert survive saving, closing and loading the scene
        path = f"{slicer.app.temporaryPath}/MADRegistrationTest.mrb"
        self.assertTrue(slicer.util.saveScene(path))
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(path)
        widget.enter()
        self.assertIs(widget._parameterNode.movingVolume, slicer.util.getNode("EPI"))
        widget.ui.revertButton.click()
        self.assertEqual(slicer.util.getNode("EPI").GetParentTransformNode().GetName(), "Displacement")
