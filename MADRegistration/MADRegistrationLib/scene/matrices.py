"""Matrices of VTK and of numpy."""

from __future__ import annotations

import numpy as np
import vtk


def toArray(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """4x4 numpy array of a VTK matrix."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def toMatrix(array: np.ndarray) -> vtk.vtkMatrix4x4:
    """VTK matrix of a 4x4 numpy array."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, float).ravel().tolist())
    return matrix
