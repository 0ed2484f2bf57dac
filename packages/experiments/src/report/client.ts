/**
 * The script of the page: columns sort, the slider moves every film strip. The page is complete without it.
 * Plain JavaScript for any browser; it must not contain a closing script tag.
 */
export const script = String.raw`(() => {
  'use strict';
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // Missing values go last in both directions, equal ones keep their order.
  const compare = (a, b, sign) => {
    if (a === '' || b === '') return (a === '') - (b === '');
    const difference = Number(a) - Number(b);
    return sign * (Number.isNaN(difference) ? a.localeCompare(b, undefined, { numeric: true }) : difference);
  };

  for (const table of all('table.sortable')) {
    const body = table.tBodies[0];
    const headers = all('th[data-column]', table);
    const valueOf = (row, column) => (row.cells[column] && row.cells[column].dataset.value) || '';
    for (const header of headers) {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener('click', () => {
        const sorted = header.getAttribute('aria-sort');
        const order = sorted === null ? header.dataset.first : sorted === 'ascending' ? 'descending' : 'ascending';
        for (const other of headers) other.removeAttribute('aria-sort');
        header.setAttribute('aria-sort', order);
        const column = Number(header.dataset.column);
        const sign = order === 'ascending' ? 1 : -1;
        body.append(...Array.from(body.rows).sort((a, b) => compare(valueOf(a, column), valueOf(b, column), sign)));
      });
    }
  }

  const scrubber = document.querySelector('.scrubber');
  if (!scrubber) return;
  scrubber.hidden = false;
  const slider = scrubber.querySelector('input');
  const output = scrubber.querySelector('output');
  const play = scrubber.querySelector('button');
  const last = Number(slider.max);
  const strips = all('.strip').map((strip) => ({
    now: strip.querySelector('.now img'),
    level: strip.querySelector('.level'),
    frames: all('.frames li', strip),
  }));

  // Strips may have grids of their own length: the slider's position is a share of the way.
  const show = () => {
    const position = Number(slider.value);
    output.textContent = (position + 1) + ' of ' + (last + 1);
    for (const { now, level, frames } of strips) {
      const index = Math.round((position / Math.max(1, last)) * (frames.length - 1));
      now.src = frames[index].querySelector('img').src;
      level.textContent = frames[index].dataset.level;
      frames.forEach((frame, each) => frame.classList.toggle('current', each === index));
    }
  };

  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = 'Play';
  };
  play.addEventListener('click', () => {
    if (timer) return stop();
    if (Number(slider.value) === last) slider.value = '0';
    show();
    play.textContent = 'Pause';
    timer = setInterval(() => {
      slider.value = String(Number(slider.value) + 1);
      show();
      if (Number(slider.value) === last) stop();
    }, 350);
  });
  slider.addEventListener('input', () => { stop(); show(); });
  for (const { frames } of strips) {
    frames.forEach((frame, index) => frame.addEventListener('click', () => {
      stop();
      slider.value = String(Math.round((index / Math.max(1, frames.length - 1)) * last));
      show();
    }));
  }
  show();
})();`;
