"""An entry of the context menu in Slicer's Data module: register this volume.  Slicer loads this file by its path, and
finds the class by the name of the file."""

import qt
import slicer
from AbstractScriptedSubjectHierarchyPlugin import AbstractScriptedSubjectHierarchyPlugin
from slicer.i18n import tr as _


class MADRegistrationSubjectHierarchyPlugin(AbstractScriptedSubjectHierarchyPlugin):
    """Opens the module with the volume of the item as the moving one."""

    filePath = __file__

    def __init__(self, scriptedPlugin) -> None:
        scriptedPlugin.name = "MADRegistration"
        AbstractScriptedSubjectHierarchyPlugin.__init__(self, scriptedPlugin)
        self._action = qt.QAction(_("Register to another volume..."), scriptedPlugin)
        self._action.connect("triggered()", self._onRegister)

    def itemContextMenuActions(self):
        return [self._action]

    def showContextMenuActionsForItem(self, itemID) -> None:
        node = _nodeOf(itemID)
        self._action.visible = node is not None and node.GetClassName() == "vtkMRMLScalarVolumeNode"

    def _onRegister(self) -> None:
        moving = _nodeOf(slicer.qSlicerSubjectHierarchyPluginHandler.instance().currentItem())
        if moving is not None:
            slicer.util.selectModule("MADRegistration")
            slicer.modules.madregistration.widgetRepresentation().self().chooseMoving(moving)


def _nodeOf(itemID):
    """The node of an item of the subject hierarchy, or None."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetItemDataNode(itemID) if hierarchy is not None and itemID else None
