"""The public's other pages: what marks mean, who may issue them, figures, data, and how fresh it all is."""
