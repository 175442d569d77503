//! A browser, in which somebody uses the console: what they see, click and type. Nothing is asked behind its back.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{eventually, http, stack::Stack};

/// How long something may take to be seen: generous, because other tests share the machine.
const LIMIT: Duration = Duration::from_secs(40);
/// Width and height of the window, in pixels.
pub const DESKTOP: (u32, u32) = (1280, 900);
/// The same of a phone.
pub const PHONE: (u32, u32) = (390, 844);
/// The keys that go from one control to the next, and out of a dialog, as `WebDriver` writes them.
pub const TAB: &str = "\u{e004}";
/// See [`TAB`].
pub const ESCAPE: &str = "\u{e00c}";
/// What an element is called in `WebDriver`'s answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser, with a session of its own at chromedriver, by the W3C's `WebDriver`. The crates for that turn on features of
/// `serde_json` for all of the workspace, which would have other orders in what the functions answer.
#[derive(Debug)]
pub struct Browser {
    session: String,
    url: String,
}

/// An element of the page.
#[derive(Debug)]
pub struct Element<'a> {
    browser: &'a Browser,
    path: String,
}

impl Element<'_> {
    /// Clicks on it.
    ///
    /// # Errors
    ///
    /// What the driver says: it is covered, or gone.
    pub async fn click(&self) -> Result<(), String> {
        self.browser.call(Method::POST, &format!("{}/click", self.path), json!({})).await.map(drop)
    }

    /// Types.
    ///
    /// # Errors
    ///
    /// As [`Self::click`].
    pub async fn send_keys(&self, text: &str) -> Result<(), String> {
        self.browser.call(Method::POST, &format!("{}/value", self.path), json!({"text": text})).await.map(drop)
    }

    /// Empties it.
    ///
    /// # Errors
    ///
    /// As [`Self::click`].
    pub async fn clear(&self) -> Result<(), String> {
        self.browser.call(Method::POST, &format!("{}/clear", self.path), json!({})).await.map(drop)
    }

    async fn is(&self, what: &str) -> bool {
        self.browser.call(Method::GET, &format!("{}/{what}", self.path), json!({})).await == Ok(json!(true))
    }
}

impl Browser {
    /// A browser at the console of the stack, where nobody is signed in.
    pub async fn new(stack: &Stack, (width, height): (u32, u32)) -> Self {
        let driver = std::env::var("MOORAGE_BROWSER")
            .expect("MOORAGE_BROWSER is not set: these tests need chromedriver, run `tests/run.sh console::`");
        let arguments = ["headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"];
        let mut arguments: Vec<_> = arguments.iter().map(|it| format!("--{it}")).collect();
        arguments.push(format!("--window-size={width},{height}"));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let answer = http()
            .post(format!("{driver}/session"))
            .header("content-type", "application/json")
            .body(wanted.to_string());
        let answer = answer.send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let session = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let browser = Self { session: format!("{driver}/session/{session}"), url: stack.url.clone() };
        browser.resize((width, height)).await;
        browser.open("").await;
        browser
    }

    /// Gives the window another size.
    pub async fn resize(&self, (width, height): (u32, u32)) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// One in which whoever has this token is signed in.
    pub async fn signed_in(stack: &Stack, token: &str) -> Self {
        let browser = Self::new(stack, DESKTOP).await;
        browser.sign_in(token).await;
        browser.see("#bar", "Sign out").await;
        browser
    }

    /// Signs in as people do.
    pub async fn sign_in(&self, token: &str) {
        self.find("#token").await.send_keys(token).await.unwrap();
        self.click("Sign in").await;
    }

    /// Goes to a screen, by what is behind the `#`.
    pub async fn go(&self, screen: &str) {
        self.open(&format!("#/{screen}")).await;
    }

    /// Opens the console as a provider sends browsers back to it, with this query.
    pub async fn back(&self, query: &str) {
        self.open(&format!("?{query}")).await;
    }

    /// The first element that can be seen.
    pub async fn find(&self, css: &str) -> Element<'_> {
        self.seen(&format!("{css} is seen"), css).await
    }

    /// Waits until an element has this text in it.
    pub async fn see(&self, css: &str, text: &str) {
        let mut last = String::new();
        let seen = tokio::time::timeout(LIMIT, async {
            loop {
                last = self.text(css).await;
                if last.contains(text) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let seen = seen.await;
        assert!(seen.is_ok(), "{css} does not say {text:?}, but {last:?}; {:?}", self.log().await);
    }

    /// The text of all these elements; nothing if there is none.
    pub async fn text(&self, css: &str) -> String {
        let text = self.script(
            "return [...document.querySelectorAll(arguments[0])].map((it) => it.innerText).join(' | ')",
            json!([css]),
        );
        text.await.as_str().unwrap().to_owned()
    }

    /// Clicks on the button or the link of this name.
    pub async fn click(&self, name: &str) {
        let path = format!("//*[self::button or self::a][normalize-space()='{name}' or @aria-label='{name}']");
        eventually(&format!("{name:?} can be clicked on"), LIMIT, async || {
            for element in self.all("xpath", &path).await {
                if element.is("enabled").await && element.is("displayed").await && element.click().await.is_ok() {
                    return Some(());
                }
            }
            None
        })
        .await;
    }

    /// Whether the button of this name can be used.
    pub async fn may(&self, name: &str) -> bool {
        let find = "return [...document.querySelectorAll('button')].some((it) => it.innerText.trim() === arguments[0] && !it.disabled)";
        self.script(find, json!([name])).await == json!(true)
    }

    /// Waits until the button of this name can be used, or cannot.
    pub async fn becomes(&self, name: &str, usable: bool) {
        let what = format!("{name:?} becomes {}", if usable { "usable" } else { "unusable" });
        eventually(&what, LIMIT, async || (self.may(name).await == usable).then_some(())).await;
    }

    /// Types into a field, in place of what it holds.
    pub async fn fill(&self, field: &str, text: &str) {
        let css = format!("[data-field={field}]");
        // A form that is drawn anew meanwhile takes its fields along.
        eventually(&format!("{field} can be filled"), LIMIT, async || {
            let input = self.find(&css).await;
            input.clear().await.and(input.send_keys(text).await).ok()
        })
        .await;
    }

    /// Chooses an option of a field.
    pub async fn choose(&self, field: &str, value: &str) {
        let css = format!("[data-field={field}] option[value='{value}']");
        eventually(&format!("{css} can be chosen"), LIMIT, async || self.find(&css).await.click().await.ok()).await;
    }

    /// What a field holds.
    pub async fn value(&self, field: &str) -> String {
        let value = "return document.querySelector(`[data-field=${arguments[0]}]`)?.value ?? ''";
        self.script(value, json!([field])).await.as_str().unwrap().to_owned()
    }

    /// Runs a function's body in the page.
    pub async fn script(&self, code: &str, arguments: Value) -> Value {
        self.call(Method::POST, "execute/sync", json!({"script": code, "args": arguments})).await.unwrap()
    }

    /// Runs a function's body that calls its last argument when it is done.
    pub async fn script_until_done(&self, code: &str, arguments: Value) -> Value {
        self.call(Method::POST, "execute/async", json!({"script": code, "args": arguments})).await.unwrap()
    }

    /// Calls a function of one of the console's modules, by the page's own loader.
    pub async fn module(&self, file: &str, function: &str, arguments: Value) -> Value {
        let call = "const [file, name, given] = arguments, done = arguments[arguments.length - 1];
            const main = document.querySelector('script[type=module]').src;
            import(new URL(file, main)).then((it) => done(it[name](...given)), (error) => done(String(error)))";
        self.script_until_done(call, json!([file, function, arguments])).await
    }

    /// Keeps the answers of the next calls back whose address ends so. The API has done what they ask for.
    pub async fn hold(&self, method: &str, end: &str, calls: u32) {
        let hold = "const [method, end] = arguments;
            let left = arguments[2];
            const real = window.fetch;
            window.kept = [];
            window.fetch = async (where, options) => {
                const answer = await real(where, options);
                if (left > 0 && (options.method ?? 'GET') === method && String(where).endsWith(end)) {
                    left -= 1;
                    await new Promise((go) => window.kept.push(go));
                }
                return answer;
            }";
        self.script(hold, json!([method, end, calls])).await;
    }

    /// Waits until so many answers are kept back.
    pub async fn holds(&self, answers: u64) {
        eventually(&format!("{answers} answers are kept back"), LIMIT, async || {
            (self.script("return window.kept.length", json!([])).await == json!(answers)).then_some(())
        })
        .await;
    }

    /// Lets through what was kept back.
    pub async fn release(&self) {
        self.script("window.kept.splice(0).forEach((go) => go())", json!([])).await;
    }

    /// Loads the page again.
    pub async fn refresh(&self) {
        self.call(Method::POST, "refresh", json!({})).await.unwrap();
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: &str) {
        let strokes = [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.call(Method::POST, "actions", actions).await.unwrap();
    }

    /// Writes what is seen to a file.
    pub async fn picture(&self, file: &Path) {
        let picture = self.call(Method::GET, "screenshot", json!({})).await.unwrap();
        std::fs::write(file, STANDARD.decode(picture.as_str().unwrap()).unwrap()).unwrap();
    }

    /// Light or dark.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// What the page and the browser have said of it, but for calls that were answered with an error, which is no error of
    /// the page.
    pub async fn log(&self) -> Vec<String> {
        let said = self.call(Method::POST, "se/log", json!({"type": "browser"})).await.unwrap();
        let said = said.as_array().unwrap().iter().map(|it| it["message"].as_str().unwrap().to_owned());
        said.filter(|it| !it.contains("Failed to load resource: the server responded with a status of")).collect()
    }

    /// Ends it. Nobody may have broken the policy, and no script have failed.
    pub async fn close(self) {
        let said = self.log().await;
        assert!(said.is_empty(), "{said:#?}");
        self.quit().await;
    }

    /// Ends it, whatever it has said. One of a test that fails is left to the end of the stack.
    pub async fn quit(self) {
        self.call(Method::DELETE, "", json!({})).await.unwrap();
    }

    async fn open(&self, behind: &str) {
        let url = format!("{}/console{behind}", self.url);
        self.call(Method::POST, "url", json!({"url": url})).await.unwrap();
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.call(Method::POST, "goog/cdp/execute", json!({"cmd": command, "params": parameters})).await.unwrap();
    }

    async fn all(&self, using: &str, value: &str) -> Vec<Element<'_>> {
        let found = self.call(Method::POST, "elements", json!({"using": using, "value": value})).await;
        let found = found.unwrap_or_default().as_array().cloned().unwrap_or_default();
        let element = |it: Value| Element { browser: self, path: format!("element/{}", it[ELEMENT].as_str().unwrap()) };
        found.into_iter().map(element).collect()
    }

    async fn seen(&self, what: &str, css: &str) -> Element<'_> {
        eventually(what, LIMIT, async || {
            for element in self.all("css selector", css).await {
                if element.is("displayed").await {
                    return Some(element);
                }
            }
            None
        })
        .await
    }

    /// Asks the driver; what it refuses is its message.
    async fn call(&self, method: Method, path: &str, body: Value) -> Result<Value, String> {
        let url = format!("{}/{path}", self.session);
        let request = http().request(method.clone(), url.trim_end_matches('/'));
        let request = request.header("content-type", "application/json");
        let request = if method == Method::POST { request.body(body.to_string()) } else { request };
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let is_good = answer.status().is_success();
        let bytes = answer.bytes().await.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if is_good { Ok(answer["value"].clone()) } else { Err(answer["value"]["message"].to_string()) }
    }
}
