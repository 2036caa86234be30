//! Notifications of the desktop, besides those of the terminal: feature `desktop`. Without the feature there are none.

/// Notifications that wait for the desktop.
#[cfg(feature = "desktop")]
const WAITING_MAX: usize = 4;

/// Has the desktop show something, where there is one. Who cannot show it is not asked twice at a time without an end: past a
/// few that wait, later ones are left out.
#[cfg(feature = "desktop")]
pub(crate) fn notify(title: String, body: String) {
    use std::sync::atomic::{AtomicUsize, Ordering};

    static WAITING: AtomicUsize = AtomicUsize::new(0);
    if WAITING.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
        WAITING.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    // Of its own, so that nobody waits for it at the end.
    let spawned = std::thread::Builder::new().name("desktop".into()).spawn(move || {
        let _ = crate::terminal::contained(|| show(&title, &body));
        WAITING.fetch_sub(1, Ordering::Relaxed);
    });
    if spawned.is_err() {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(feature = "desktop")]
fn show(title: &str, body: &str) {
    let shown = notify_rust::Notification::new().appname("Talko").summary(title).body(&escaped(body)).show();
    if let Err(error) = shown {
        tracing::debug!("the desktop shows no notification: {error}");
    }
}

/// Desktops read marks of HTML in texts (Desktop Notifications Specification 1.2, chapter 4).
#[cfg(feature = "desktop")]
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// There is no desktop.
#[cfg(not(feature = "desktop"))]
pub(crate) fn notify(_: String, _: String) {}

#[cfg(all(test, feature = "desktop"))]
mod tests {
    use super::*;

    #[test]
    fn marks_in_a_text_are_shown_as_they_are() {
        assert_eq!(escaped("<b>Tom & Jerry</b>"), "&lt;b&gt;Tom &amp; Jerry&lt;/b&gt;");
    }

    /// Where there is no desktop, as in a test, nothing is waited for and nobody is asked without an end.
    #[tokio::test]
    async fn without_a_desktop_nothing_happens() {
        for _ in 0..100 {
            notify("Bob".into(), "hello".into());
        }
    }
}
