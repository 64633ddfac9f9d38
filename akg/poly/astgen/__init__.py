"""From schedule trees to loops: scanning of rectangular and tiled domains, isl's generator for the rest."""
