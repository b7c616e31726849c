//! Time against round-trip time, as an SVG that stands on light and dark pages alike.

use std::fmt::Write as _;

/// How long a search of the whole maildrop takes, by round-trip time.
#[derive(Debug, Default)]
pub(crate) struct Curve(Vec<Point>);

/// Seconds at one round-trip time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) milliseconds: u64,
    pub(crate) raw: f64,
    pub(crate) pop3fs: f64,
    pub(crate) mpop: f64,
}

struct Series {
    name: &'static str,
    colour: &'static str,
    seconds: fn(&Point) -> f64,
}

const SERIES: [Series; 3] = [
    Series {
        name: "mpop + grep",
        colour: "#c2410c",
        seconds: |point| point.mpop,
    },
    Series {
        name: "pop3fs, grep",
        colour: "#1d4ed8",
        seconds: |point| point.pop3fs,
    },
    Series {
        name: "raw limit",
        colour: "#6b7280",
        seconds: |point| point.raw,
    },
];

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 56.0;
/// Between names of series that end close to each other.
const NAME_HEIGHT: f64 = 18.0;

impl Curve {
    pub(crate) fn add(&mut self, point: Point) {
        self.0.push(point);
    }

    /// The chart, or none of fewer than two points.
    pub(crate) fn svg(&self, title: &str) -> Option<String> {
        let mut points = self.0.clone();
        points.sort_by_key(|point| point.milliseconds);
        let last = *points.last().filter(|_| points.len() > 1)?;
        let axes = Axes::of(&points, last);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"15\" fill=\"#111827\">{title}</text>\n"
        );
        axes.draw(&points, &mut svg);
        for series in &SERIES {
            axes.line(series, &points, &mut svg);
        }
        axes.names(&last, &mut svg);
        svg.push_str("</svg>\n");
        Some(svg)
    }
}

struct Axes {
    milliseconds: f64,
    /// A multiple of `step`.
    seconds: f64,
    step: f64,
}

impl Axes {
    fn of(points: &[Point], last: Point) -> Self {
        let longest = points
            .iter()
            .flat_map(|point| SERIES.iter().map(|series| (series.seconds)(point)))
            .fold(0.0, f64::max);
        let step = round_step(longest / 5.0);
        Self {
            milliseconds: last.milliseconds as f64,
            seconds: (longest / step).ceil() * step,
            step,
        }
    }

    fn x(&self, milliseconds: u64) -> f64 {
        LEFT + milliseconds as f64 / self.milliseconds * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, seconds: f64) -> f64 {
        HEIGHT - BOTTOM - seconds / self.seconds * (HEIGHT - TOP - BOTTOM)
    }

    fn draw(&self, points: &[Point], svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let lines = (self.seconds / self.step).round() as u32;
        for line in 0..=lines {
            let seconds = f64::from(line) * self.step;
            let y = self.y(seconds);
            let label = y + 4.0;
            let beside = LEFT - 8.0;
            // Writing to a string cannot fail.
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#e5e7eb\"/>\n\
                 <text x=\"{beside}\" y=\"{label:.1}\" text-anchor=\"end\" fill=\"#4b5563\">{seconds} s</text>"
            );
        }
        for point in points {
            let (x, below) = (self.x(point.milliseconds), bottom + 20.0);
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\" fill=\"#4b5563\">{} ms</text>",
                point.milliseconds
            );
        }
        let (middle, below) = (f64::midpoint(LEFT, right), bottom + 42.0);
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\" fill=\"#111827\">round trip to the server</text>"
        );
    }

    fn line(&self, series: &Series, points: &[Point], svg: &mut String) {
        let colour = series.colour;
        let places: Vec<(f64, f64)> = points
            .iter()
            .map(|point| (self.x(point.milliseconds), self.y((series.seconds)(point))))
            .collect();
        let corners: Vec<String> = places
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
            corners.join(" ")
        );
        for (x, y) in places {
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
            );
        }
    }

    /// Beside the ends of the lines, none over another.
    fn names(&self, last: &Point, svg: &mut String) {
        let mut series: Vec<&Series> = SERIES.iter().collect();
        series.sort_by(|one, other| (one.seconds)(last).total_cmp(&(other.seconds)(last)));
        let x = self.x(last.milliseconds) + 10.0;
        let mut above = HEIGHT - BOTTOM + NAME_HEIGHT;
        for series in series {
            let y = (self.y((series.seconds)(last)) + 4.0).min(above - NAME_HEIGHT);
            above = y;
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{}\">{}</text>",
                series.colour, series.name
            );
        }
    }
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1e-3).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step| step >= least)
        .unwrap_or(10.0 * power)
}
