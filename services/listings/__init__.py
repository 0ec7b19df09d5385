"""The check of e-commerce listings: reading what is sent, asking the register in sets, findings and their evidence."""
