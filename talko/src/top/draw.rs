//! The screen: one line of what the processes use, the servers side by side or one above the other, one line of keys.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::board::{Board, Shown};
use super::rows;

/// From this width on servers stand side by side.
const BROAD: u16 = 76;

/// Columns of a row's title and of its value.
const TITLE_COLUMNS: usize = 16;
const VALUE_COLUMNS: usize = 13;

/// A shorter course says nothing.
const COURSE_COLUMNS_MIN: usize = 4;

/// Heights of a bar.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws all of it.
pub(crate) fn draw(board: &Board, has_color: bool, frame: &mut Frame<'_>) {
    let style = Look { has_color };
    let heads = board.sources.len() as u16;
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(heads), Constraint::Min(0), Constraint::Length(1)])
            .areas(frame.area());
    let lines: Vec<Line<'_>> = board
        .sources
        .iter()
        .map(|source| match &source.silence {
            Some(why) => Line::styled(format!("{}: {why}", source.address), style.alarm()),
            None => {
                let process = rows::process(&source.history).unwrap_or_default();
                Line::from(vec![
                    Span::styled(source.address.clone(), style.bold()),
                    Span::raw(format!(" {process}")),
                ])
            }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), head);
    frame.render_widget(Line::styled("talko top: q ends", style.faint()), foot);
    let servers = board.servers();
    if servers.is_empty() {
        return;
    }
    let parts = vec![Constraint::Fill(1); servers.len()];
    let layout =
        if body.width >= BROAD { Layout::horizontal(parts).spacing(2) } else { Layout::vertical(parts) };
    for (server, area) in servers.iter().zip(layout.split(body).iter()) {
        draw_server(server, style, *area, frame);
    }
}

fn draw_server(server: &Shown, style: Look, area: Rect, frame: &mut Frame<'_>) {
    let title = if server.is_silent { format!("{} (silent)", server.title) } else { server.title.clone() };
    let mut lines = vec![Line::styled(
        format!("{title:width$}", width = area.width as usize),
        style.bold().add_modifier(Modifier::REVERSED),
    )];
    let course_columns = (area.width as usize).saturating_sub(TITLE_COLUMNS + VALUE_COLUMNS + 2);
    for (title, said) in &server.rows {
        let look = if said.is_alarming { style.alarm() } else { Style::new() };
        // What is wrong is marked where there are no colours, too.
        let mark = if said.is_alarming { "!" } else { " " };
        let mut spans = vec![
            Span::styled(format!("{title:TITLE_COLUMNS$}"), style.faint()),
            Span::styled(format!("{:>VALUE_COLUMNS$}{mark}", said.value), look),
        ];
        if course_columns >= COURSE_COLUMNS_MIN {
            spans.push(Span::styled(format!(" {}", bars(&said.course, course_columns)), style.course()));
        }
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// The course of a figure as bars, against the highest of them.
fn bars(course: &[f64], columns: usize) -> String {
    let shown = &course[course.len().saturating_sub(columns)..];
    let highest = shown.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| match (value / highest * (BARS.len() - 1) as f64).ceil() {
        height if highest > 0.0 && height > 0.0 => BARS[(height as usize).min(BARS.len() - 1)],
        _ => BARS[0],
    };
    shown.iter().map(bar).collect()
}

/// How things look, with colours and without.
#[derive(Clone, Copy)]
struct Look {
    has_color: bool,
}

impl Look {
    fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn alarm(self) -> Style {
        if self.has_color { self.bold().fg(Color::Red) } else { self.bold() }
    }

    fn course(self) -> Style {
        if self.has_color { Style::new().fg(Color::Cyan) } else { Style::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ttp::net::clock;

    use super::super::scrape::Scrape;
    use super::*;

    fn board() -> Board {
        let mut board = Board::new(&["127.0.0.1:8890".into()]);
        let begin = clock::now();
        for second in 0..5 {
            let text = format!(
                "process_cpu_seconds_total {second}\nprocess_resident_memory_bytes 9437184\nprocess_open_fds 30\n\
                 talko_data_calls_total {}\ntalko_connections{{server=\"data\"}} 7\n\
                 talko_data_commit_seconds_count 3\ntalko_data_commit_seconds_bucket{{le=\"0.00025\"}} 3\n\
                 talko_broadcast_streams 12345\ntalko_broadcast_deliveries_total {}\n\
                 talko_broadcast_slow_cuts_total {second}\n",
                second * 10,
                second * second * 1000,
            );
            board.take(0, Ok(Scrape::read(&text, begin + Duration::from_secs(second))));
        }
        board
    }

    fn screen(board: &Board, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(board, true, frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>();
        (0..height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_small_screen_shows_what_matters_most_of_both() {
        let shown = screen(&board(), 40, 10);
        assert_eq!(
            shown,
            [
                "127.0.0.1:8890 cpu 100% 9.0 MiB 30 fd",
                "data-server",
                "calls/s                    10  ████",
                "commit p50 p99    250µs 250µs",
                "connections                 7  █████",
                "broadcast-server",
                "deliveries/s             7000  ▂▄▆█",
                "streams                  12 k  █████",
                "slow cuts                   4!",
                "talko top: q ends",
            ]
        );
    }

    #[test]
    fn a_broad_screen_shows_them_side_by_side() {
        let shown = screen(&board(), 200, 60);
        let line = shown.iter().find(|line| line.starts_with("calls/s")).unwrap();
        assert!(line.contains("deliveries/s"), "{line}");
        assert!(
            shown[1].starts_with("data-server") && shown[1].ends_with("broadcast-server"),
            "{}",
            shown[1]
        );
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(1, 1), (5, 2), (29, 3), (76, 4), (300, 2)] {
            screen(&board(), width, height);
        }
    }

    #[test]
    fn who_falls_silent_is_named_and_stays_on_the_screen() {
        let mut board = board();
        board.take(0, Err("no answer".into()));
        let shown = screen(&board, 80, 20);
        assert_eq!(shown[0], "127.0.0.1:8890: no answer");
        assert!(shown[1].contains("data-server (silent)"), "{}", shown[1]);
    }

    #[test]
    fn bars_are_as_high_as_what_they_show() {
        assert_eq!(bars(&[0.0, 1.0, 7.0, 3.5], 10), "▁▂█▅");
        assert_eq!(bars(&[9.0, 0.0, 0.0], 2), "▁▁");
    }
}
