"""Files with figures that others published, as they come: tables of people, and the answer of the national portal."""
