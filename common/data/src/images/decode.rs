//! One PNG or JPEG file to the pixels of a record.

use std::io::Cursor;

use image::imageops::{FilterType, resize};
use image::{DynamicImage, GrayImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use umbra_core::shape::Form;

use crate::quiet::no_panic;

/// The longest edge of an image that is decoded.
const MAX_EDGE: u32 = 20_000;
/// The most pixels of an image that is decoded.
const MAX_PIXELS: u64 = 1 << 26;
/// The most memory that decoding one image may take: a small file may claim to hold anything.
const MAX_MEMORY: u64 = 1 << 29;
const DAMAGED: &str = "the image is damaged or cut short: fetch or save it again";

/// What all images become.
pub(super) struct Target {
    height: u32,
    width: u32,
    channels: u32,
    resized: bool,
}

impl Target {
    /// Images of this form; where `resized`, images of other sizes become it.
    pub(super) fn of(form: &Form, resized: bool) -> Self {
        let (height, width, channels) = match *form {
            Form::Image { height, width, channels } => (height, width, channels),
            _ => (0, 0, 0),
        };
        Self { height, width, channels, resized }
    }
}

/// Height, width and channels (1 or 3) of an image, without decoding it; or why it is none.
pub(super) fn describe(bytes: &[u8]) -> Result<(u32, u32, u32), String> {
    let read = || {
        let reader = reader(bytes)?;
        let decoder = reader.into_decoder().map_err(|_| DAMAGED.to_owned())?;
        let (width, height) = decoder.dimensions();
        Ok((height, width, if decoder.color_type().has_color() { 3 } else { 1 }))
    };
    no_panic(read).unwrap_or_else(|| Err(DAMAGED.to_owned()))
}

/// Writes the pixels of an image into `out`, `[height][width][channels]`; or says why not.
pub(super) fn decode(bytes: &[u8], target: &Target, out: &mut [u8]) -> Result<(), String> {
    // The decoders are other projects': should one panic, the file is refused like any damaged one.
    let image = no_panic(|| {
        let decoder = reader(bytes)?.into_decoder().map_err(|error| refusal(&error))?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(format!(
                "it claims to have {height} x {width} pixels, more than {MAX_PIXELS} in all"
            ));
        }
        DynamicImage::from_decoder(decoder).map_err(|error| refusal(&error))
    });
    let image = image.unwrap_or_else(|| Err(DAMAGED.to_owned()))?;
    let (height, width) = (image.height(), image.width());
    let same = (height, width) == (target.height, target.width);
    if !same && !target.resized {
        return Err(format!(
            "{height} x {width} pixels, but the first image has {} x {}: say size = [{}, {}] to resize all",
            target.height, target.width, target.height, target.width
        ));
    }
    let pixels = pixels(image, target, same);
    if pixels.len() != out.len() {
        return Err(DAMAGED.to_owned());
    }
    out.copy_from_slice(&pixels);
    Ok(())
}

/// Grey or colour, eight bits, alpha left out; resized by a triangle that widens with the reduction, so that
/// every pixel counts.
fn pixels(image: DynamicImage, target: &Target, same: bool) -> Vec<u8> {
    let (width, height) = (target.width, target.height);
    match (target.channels, same) {
        (1, true) => grey(image).into_raw(),
        (1, false) => resize(&grey(image), width, height, FilterType::Triangle).into_raw(),
        (_, true) => image.into_rgb8().into_raw(),
        (_, false) => resize(&image.into_rgb8(), width, height, FilterType::Triangle).into_raw(),
    }
}

/// Whether the end of the image (FF D9) follows its last scan (FF DA): within a scan, neither occurs.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    last(0xda).is_some_and(|scan| last(0xd9).is_some_and(|end| end > scan))
}

/// Grey of colours as ITU-R BT.601 weighs them, rounded as Pillow rounds.
fn grey(image: DynamicImage) -> GrayImage {
    if !image.color().has_color() {
        return image.into_luma8();
    }
    let colours = image.into_rgb8();
    let weigh = |[red, green, blue]: [u8; 3]| {
        ((u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16) as u8
    };
    GrayImage::from_fn(colours.width(), colours.height(), |x, y| {
        image::Luma([weigh(colours.get_pixel(x, y).0)])
    })
}

fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, String> {
    let format = match bytes {
        [0x89, b'P', b'N', b'G', ..] => ImageFormat::Png,
        // The decoder would fill in what is missing of one that was cut short.
        [0xff, 0xd8, 0xff, ..] if !is_whole_jpeg(bytes) => return Err(DAMAGED.to_owned()),
        [0xff, 0xd8, 0xff, ..] => ImageFormat::Jpeg,
        [] => return Err("the file is empty".to_owned()),
        _ => return Err("neither a PNG nor a JPEG file: convert it to PNG".to_owned()),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_EDGE);
    limits.max_image_height = Some(MAX_EDGE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    Ok(reader)
}

fn refusal(error: &image::ImageError) -> String {
    match error {
        image::ImageError::Limits(_) => {
            format!("it claims to have more than {MAX_EDGE} pixels an edge, or to need absurd memory")
        }
        image::ImageError::Unsupported(_) => {
            "of a kind of PNG or JPEG that is not read: convert it".to_owned()
        }
        _ => DAMAGED.to_owned(),
    }
}
