import { strings } from "../../strings";
import { ACCEPT, LARGEST_FILE, MOST_PIXELS } from "../open/limits";
import { openFrom, openSample, pasteFromClipboard, pick } from "../open/open";
import { Icon } from "../shell/Icon";
import { Wordmark } from "../shell/Wordmark";
import { ThemeSwitch } from "../shell/ThemeSwitch";

const SAMPLES = ["astronaut", "cat", "coffee", "rocket"] as const;

/** The first screen: one sentence, one large place to put a photo. */
export function Start() {
  const text = strings.start;
  return (
    <div className="start">
      <header className="start-top">
        <Wordmark />
        <ThemeSwitch />
      </header>
      <main className="start-main">
        <h1>{text.heading.map((line) => <span key={line}>{line} </span>)}</h1>
        <section className="drop" aria-label={text.drop}>
          <Icon name="picture" size={40} />
          <p className="drop-text">{text.drop}</p>
          <div className="row">
            <button type="button" className="button primary" onClick={() => pick(ACCEPT, (files) => void openFrom(files))}>
              <Icon name="open" />
              {text.choose}
            </button>
            <button type="button" className="button" onClick={() => void pasteFromClipboard()}>
              <Icon name="paste" />
              {text.paste}
            </button>
          </div>
          <p className="hint">{text.hint(LARGEST_FILE, MOST_PIXELS)} <span className="with-keys">{text.keys}</span></p>
        </section>
        <section className="samples" aria-labelledby="samples-title">
          <h2 id="samples-title">{text.samples}</h2>
          <ul>
            {SAMPLES.map((name) => (
              <li key={name}>
                <button type="button" className="sample" aria-label={text.sample(text.titles[name])} onClick={() => void openSample(name)}>
                  <img src={`./samples/${name}-small.jpg`} alt="" width={96} height={96} />
                  <span>{text.titles[name]}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
        <p className="hint">{text.privacy}</p>
      </main>
    </div>
  );
}
