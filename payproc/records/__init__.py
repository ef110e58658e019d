"""The only writers of a status, each under a row lock, through the grids of `domain.states`."""
