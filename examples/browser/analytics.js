// Tell `POST /bear/rum` how fast a page was and what was done there: numbers, and names of features
// that the developers chose. Never an address, a text, an element, or what the browser is.

import { WebVitalsInstrumentation } from '@opentelemetry/browser-instrumentation/experimental/web-vitals';

const SESSION_KEY = 'bear.session';

// What the endpoint calls the vitals; but for CLS they are measured in milliseconds.
const VITALS = {
  cls: 'cumulative_layout_shift',
  fcp: 'first_contentful_paint_seconds',
  inp: 'interaction_to_next_paint_seconds',
  lcp: 'largest_contentful_paint_seconds',
  ttfb: 'time_to_first_byte_seconds',
};

/** Return whether this browser refuses, by Global Privacy Control or Do Not Track. */
export function refuses() {
  return navigator.globalPrivacyControl === true || navigator.doNotTrack === '1';
}

/**
 * Begin, if the person has agreed and the browser does not refuse. Otherwise nothing is measured,
 * stored or sent.
 *
 * @param {{consent: boolean, endpoint?: string}} options
 * @returns {{feature(name: string): void, end(): void, stop(): void}} `feature` tells that a part
 *   of the application was used, `end` that the visit is over, `stop` takes the consent back.
 */
export function startAnalytics({ consent, endpoint = '/bear/rum' }) {
  if (consent !== true || refuses()) {
    return { feature() {}, end() {}, stop() {} };
  }
  return new Analytics(endpoint);
}

class Analytics {
  constructor(endpoint) {
    this.endpoint = endpoint;
    this.stopped = new AbortController();
    this.told = new Set();
    this.performance = {};
    const { session, isNew } = loadSession();
    this.session = session;
    this.starts = isNew;
    this.leave();
    this.listen();
    this.vitals = new WebVitalsInstrumentation();
    this.vitals.setLoggerProvider({ getLogger: () => ({ emit: (event) => this.measure(event) }) });
  }

  feature(name) {
    this.features.push(name);
  }

  end() {
    const { since, pages, clicks } = this.session;
    const session = {
      duration_seconds: (Date.now() - since) / 1000,
      page_views: pages,
      interactions: clicks,
      bounced: pages === 1 && clicks === 0,
    };
    this.flush();
    this.send({ session });
    this.stop();
  }

  stop() {
    this.vitals.disable();
    this.stopped.abort();
    sessionStorage.removeItem(SESSION_KEY);
  }

  listen() {
    const { signal } = this.stopped;
    const count = (name) => () => {
      this[name] += 1;
    };
    addEventListener('click', () => this.click(), { signal, capture: true });
    addEventListener('error', count('errors'), { signal });
    addEventListener('unhandledrejection', count('errors'), { signal });
    addEventListener('scroll', () => this.look(), { signal, passive: true });
    // Both: a browser may end a page with the one or the other.
    addEventListener('pagehide', () => this.flush(), { signal });
    document.addEventListener('visibilitychange', () => this.turn(), { signal });
  }

  click() {
    this.clicks += 1;
    this.session.clicks += 1;
    saveSession(this.session);
  }

  look() {
    const seen = (scrollY + innerHeight) / document.documentElement.scrollHeight;
    this.depth = Math.max(this.depth, Math.min(1, seen));
  }

  turn() {
    if (document.visibilityState === 'hidden') {
      this.flush();
    } else {
      this.leave();
    }
  }

  measure({ attributes }) {
    const name = attributes['browser.web_vital.name'];
    const value = attributes['browser.web_vital.value'];
    // Once each: a page that is shown again would tell them again.
    if (VITALS[name] && !this.told.has(name)) {
      this.told.add(name);
      this.performance[VITALS[name]] = name === 'cls' ? value : value / 1000;
    }
    // Some are known only when the page is gone.
    if (document.visibilityState === 'hidden') {
      this.flush();
    }
  }

  /** Begin to count anew. */
  leave() {
    this.since = performance.now();
    this.clicks = 0;
    this.depth = 0;
    this.errors = 0;
    this.features = [];
    this.left = false;
    this.look();
  }

  /** Send what there is, at once: there may be no later. */
  flush() {
    const told = {};
    if (this.starts) {
      told.session = { started: true };
      this.starts = false;
    }
    const [navigation] = performance.getEntriesByType('navigation');
    if (navigation?.loadEventEnd > 0 && !this.told.has('load')) {
      this.told.add('load');
      this.performance.page_load_seconds = navigation.loadEventEnd / 1000;
    }
    if (Object.keys(this.performance).length > 0) {
      told.performance = this.performance;
      this.performance = {};
    }
    if (!this.left) {
      told.behavior = {
        click_count: this.clicks,
        errors_encountered: this.errors,
        features_used: this.features.slice(0, 50),
        scroll_depth_percent: this.depth * 100,
        time_on_page_seconds: (performance.now() - this.since) / 1000,
      };
      this.left = true;
    }
    this.send(told);
  }

  send(told) {
    if (Object.keys(told).length === 0 || this.stopped.signal.aborted || refuses()) {
      return;
    }
    const body = JSON.stringify({
      consent: true,
      session_id: this.session.id,
      device: {
        screen_resolution: `${screen.width}x${screen.height}`,
        viewport: `${innerWidth}x${innerHeight}`,
      },
      ...told,
    });
    // Not `sendBeacon`, which sends cookies; and no referrer, which is the address of the page.
    fetch(this.endpoint, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
      credentials: 'omit',
      keepalive: true,
      referrerPolicy: 'no-referrer',
    }).catch(() => {});
  }
}

/** Return this tab's visit, which is forgotten with the tab. */
function loadSession() {
  let session = null;
  try {
    session = JSON.parse(sessionStorage.getItem(SESSION_KEY));
  } catch {
    // Somebody else's, or no storage.
  }
  const isNew = !session?.id;
  if (isNew) {
    const random = crypto.getRandomValues(new Uint8Array(16));
    const id = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
    session = { id, since: Date.now(), pages: 0, clicks: 0 };
  }
  session.pages += 1;
  saveSession(session);
  return { session, isNew };
}

function saveSession(session) {
  try {
    sessionStorage.setItem(SESSION_KEY, JSON.stringify(session));
  } catch {
    // Without storage, every page is a visit.
  }
}
