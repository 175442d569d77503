//! A browser, in which somebody uses the console: what they see, click and type. Nothing is asked behind its back.

use std::{mem::ManuallyDrop, time::Duration};

use serde_json::{Value, json};
use thirtyfour::{By, ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, WebElement};

use crate::{eventually, stack::Stack};

/// How long something may take to be seen: generous, because other tests share the machine.
const LIMIT: Duration = Duration::from_secs(40);
/// Width and height of the window, in pixels.
pub const DESKTOP: (u32, u32) = (1280, 900);
/// The same of a phone.
pub const PHONE: (u32, u32) = (390, 844);

/// One browser, with a session of its own.
#[derive(Debug)]
pub struct Browser {
    /// The driver, for what the others do not do. Of a test that fails it is left to the end of the stack: to end it takes
    /// a call, and a panic waits for nobody.
    pub driver: ManuallyDrop<WebDriver>,
    url: String,
}

impl Browser {
    /// A browser at the console of the stack, where nobody is signed in.
    pub async fn new(stack: &Stack, (width, height): (u32, u32)) -> Self {
        let driver = std::env::var("MOORAGE_BROWSER")
            .expect("MOORAGE_BROWSER is not set: these tests need chromedriver, run `tests/run.sh console::`");
        let mut wanted = DesiredCapabilities::chrome();
        for argument in ["headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"] {
            wanted.add_arg(&format!("--{argument}")).unwrap();
        }
        wanted.add_arg(&format!("--window-size={width},{height}")).unwrap();
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let driver = ManuallyDrop::new(WebDriver::new(&driver, wanted).await.unwrap());
        let browser = Self { driver, url: stack.url.clone() };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.driver.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
        browser.driver.goto(format!("{}/console", browser.url)).await.unwrap();
        browser
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
        self.driver.goto(format!("{}/console#/{screen}", self.url)).await.unwrap();
    }

    /// The first element that can be seen.
    pub async fn find(&self, css: &str) -> WebElement {
        self.seen(&format!("{css} is seen"), By::Css(css)).await
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
            for element in self.driver.find_all(By::XPath(path.as_str())).await.ok()? {
                let may = element.is_enabled().await.ok()? && element.is_displayed().await.ok()?;
                if may && element.click().await.is_ok() {
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
        let input = self.find(&format!("[data-field={field}]")).await;
        input.clear().await.unwrap();
        input.send_keys(text).await.unwrap();
    }

    /// Chooses an option of a field.
    pub async fn choose(&self, field: &str, value: &str) {
        let option = format!("[data-field={field}] option[value='{value}']");
        self.seen(&format!("{option} is there"), By::Css(option.as_str())).await.click().await.unwrap();
    }

    /// What a field holds.
    pub async fn value(&self, field: &str) -> String {
        self.find(&format!("[data-field={field}]")).await.value().await.unwrap().unwrap_or_default()
    }

    /// Runs a function's body in the page.
    pub async fn script(&self, code: &str, arguments: Value) -> Value {
        let arguments: Vec<_> = arguments.as_array().cloned().unwrap_or_default();
        self.driver.execute(code, arguments).await.unwrap().json().clone()
    }

    /// Light or dark.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.driver.cdp().send_raw("Emulation.setEmulatedMedia", features).await.unwrap();
    }

    /// What the page and the browser have said of it, but for calls that were answered with an error, which is no error of
    /// the page.
    pub async fn log(&self) -> Vec<String> {
        let said = self.driver.browser_log().await.unwrap();
        let of_calls = "Failed to load resource: the server responded with a status of";
        said.into_iter().map(|it| it.message).filter(|it| !it.contains(of_calls)).collect()
    }

    /// Ends it. Nobody may have broken the policy, and no script have failed.
    pub async fn close(self) {
        let said = self.log().await;
        assert!(said.is_empty(), "{said:#?}");
        self.quit().await;
    }

    /// Ends it, whatever it has said.
    pub async fn quit(self) {
        ManuallyDrop::into_inner(self.driver).quit().await.unwrap();
    }

    async fn seen(&self, what: &str, by: By) -> WebElement {
        eventually(what, LIMIT, async || {
            for element in self.driver.find_all(by.clone()).await.ok()? {
                if element.is_displayed().await.ok()? {
                    return Some(element);
                }
            }
            None
        })
        .await
    }
}
