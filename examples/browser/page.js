// The page's own script: asks for consent, and tells what was used.

import { startAnalytics } from './analytics.js';

const CONSENT_KEY = 'consent';
const note = document.querySelector('#note');
let analytics = startAnalytics({ consent: localStorage.getItem(CONSENT_KEY) === 'yes' });

document.querySelector('#agree').addEventListener('click', () => {
  localStorage.setItem(CONSENT_KEY, 'yes');
  analytics = startAnalytics({ consent: true });
});
document.querySelector('#withdraw').addEventListener('click', () => {
  localStorage.removeItem(CONSENT_KEY);
  analytics.stop();
});
document.querySelector('#send').addEventListener('click', () => {
  analytics.feature('chat');
  document.querySelector('#chat').append(`${note.value}\n`);
});
document.querySelector('#leave').addEventListener('click', () => analytics.end());
