// Listens to the page's <video>, for the tests to read: when sounds begin, on the timeline of the <video>.
if (!window.skylarkHeard) {
  const video = document.querySelector("video");
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 32768;
  context.createMediaElementSource(video).connect(analyser);
  analyser.connect(context.destination);
  const heard = window.skylarkHeard = { sounds_s: [], loud_at_ms: 0 };
  const samples = new Float32Array(analyser.fftSize);
  // Pieces of 2 ms; a sound begins after 50 ms of silence.
  const piece = Math.round(context.sampleRate / 500);
  const silence = 25;
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const now_s = video.currentTime;
    let quiet = 0;
    for (let at = 0; at + piece <= samples.length; at += piece) {
      let square = 0;
      for (let sample = at; sample < at + piece; sample++) square += samples[sample] ** 2;
      if (square / piece < 0.01) {
        quiet += 1;
        continue;
      }
      const age_s = (samples.length - at) / context.sampleRate;
      heard.loud_at_ms = Math.max(heard.loud_at_ms, performance.timeOrigin + performance.now() - age_s * 1000);
      const begins_s = now_s - age_s;
      if (quiet >= silence && begins_s > (heard.sounds_s.at(-1) ?? -1) + 0.5) heard.sounds_s.push(begins_s);
      quiet = 0;
    }
  }, 100);
}
