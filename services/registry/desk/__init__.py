"""The desk of inspectors, regulators and the administrator: pages behind accounts of their own."""
