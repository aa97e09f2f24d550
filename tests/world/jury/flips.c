// An EFI program for x86-64: it changes one byte of an image after the other, and has firmware load each.
//
// It reads /IMAGE from the volume that it was started from, and /FLIPS: size of the image, number of changes, and
// for each where it is and what is XORed to it, all of 32 bits. Over the first serial port it says a letter for
// each: L where firmware loaded it, D where it denied that, X where it did not for another reason.
//
// Specification: UEFI 2.10, §7.4 Image Services. Linked as one flat section, so it has no variables of its own.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define EFI __attribute__((ms_abi))

struct boot_services {
    char header[24];
    void *before[5];
    u64 EFI (*allocate_pool)(u32 kind, u64 size, void **buffer);
    void *between[10];
    u64 EFI (*handle_protocol)(void *handle, const void *guid, void **found);
    void *others[5];
    u64 EFI (*load_image)(u8 policy, void *parent, void *path, void *source, u64 size, void **image);
    void *start[2];
    u64 EFI (*unload_image)(void *image);
};

struct system_table {
    char before[96];
    struct boot_services *boot;
};

struct loaded_image {
    char before[24];
    void *device;
};

struct file {
    u64 revision;
    u64 EFI (*open)(struct file *self, struct file **opened, const u16 *name, u64 mode, u64 attributes);
    void *between[2];
    u64 EFI (*read)(struct file *self, u64 *size, void *buffer);
};

struct file_system {
    u64 revision;
    u64 EFI (*open_volume)(struct file_system *self, struct file **root);
};

#define ABORTED 0x8000000000000015ULL
#define ACCESS_DENIED 0x800000000000000FULL
#define SECURITY_VIOLATION 0x800000000000001AULL
#define POOL 2 // EfiLoaderData
#define MAX_FLIPS 4096 // bytes

static void say(char letter)
{
    u8 status;
    do
        __asm__ volatile("inb %w1, %0" : "=a"(status) : "Nd"(0x3FD));
    while (!(status & 0x20));
    __asm__ volatile("outb %0, %w1" : : "a"(letter), "Nd"(0x3F8));
}

static void say_all(const char *text)
{
    while (*text)
        say(*text++);
}

static u64 read(struct file *root, const u16 *name, void *buffer, u64 size)
{
    struct file *file;
    u64 failed = root->open(root, &file, name, 1, 0);
    return failed ? failed : file->read(file, &size, buffer);
}

__attribute__((section(".text.start"))) EFI u64 start(void *self, struct system_table *system)
{
    static const u8 LOADED_IMAGE[16] = {0xa1, 0x31, 0x1b, 0x5b, 0x62, 0x95, 0xd2, 0x11,
                                        0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b};
    static const u8 FILE_SYSTEM[16] = {0x22, 0x5b, 0x4e, 0x96, 0x59, 0x64, 0xd2, 0x11,
                                       0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b};
    struct boot_services *boot = system->boot;
    struct loaded_image *own;
    struct file_system *volume;
    struct file *root;
    u32 *flips;
    u8 *image;

    if (boot->handle_protocol(self, LOADED_IMAGE, (void **)&own) ||
        boot->handle_protocol(own->device, FILE_SYSTEM, (void **)&volume) ||
        volume->open_volume(volume, &root) || boot->allocate_pool(POOL, MAX_FLIPS, (void **)&flips) ||
        read(root, u"FLIPS", flips, MAX_FLIPS) || boot->allocate_pool(POOL, flips[0], (void **)&image) ||
        read(root, u"IMAGE", image, flips[0]))
        return ABORTED;
    say_all("\r\nFLIPS ");
    for (u32 number = 0; number < flips[1]; number++) {
        u8 *byte = image + flips[2 + 2 * number];
        void *loaded = 0;
        *byte ^= flips[3 + 2 * number];
        u64 failed = boot->load_image(0, self, 0, image, flips[0], &loaded);
        *byte ^= flips[3 + 2 * number];
        if (loaded)
            boot->unload_image(loaded);
        say(!failed ? 'L' : failed == ACCESS_DENIED || failed == SECURITY_VIOLATION ? 'D' : 'X');
    }
    say_all("\r\nJURY-STARTED\r\n");
    return ABORTED;
}
