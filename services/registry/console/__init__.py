"""The console of a source: pages on which a certification body sees what became of its events, and what to mend."""
