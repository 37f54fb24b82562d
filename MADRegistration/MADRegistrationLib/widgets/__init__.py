"""What the panel says, shown by the widgets of Resources/UI/MADRegistration.ui: the one place that sets them.

There is one class for each part of the panel; :class:`WidgetView` holds them together.
"""
