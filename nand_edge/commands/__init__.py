"""Commands that need neither the workstation's nor the device's side."""
