// hls.js behind a small surface.
